"""Who a customer is without being named, what stays of an order, and what each request decides."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.envelope import encode
from shared.errors import Rejected
from shared.inbox import Incoming
from shared.messages.base import Message, wrap
from shared.messages.notifier import RecordBounce
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from shared.messages.payments import ProviderEventReceived, RefundPayment, RegisterOrder
from shared.messages.privacy import ErasedPlace, ErasePersonalData, PersonalDataErased
from shared.privacy.customers import blanked, customer_hash, key_check, without_customer
from shared.privacy.erasures import Blanked, Erasure, blank_late, decider, read_task
from shared.privacy.parked import held_in, names_one_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY, OTHER_KEY = SecretStr("q7-Vb3-Lm9-Xz2-Kd8"), SecretStr("w1-Nc5-Pt4-Rf6-Hs0")
EMAIL = "asha.rao@buyer.test"
WORDS = (EMAIL, "Asha Rao", "Lake View Road", "33AAACR", "Mug for Asha")

ORDER = OrderPlaced(
    order_id="o-1",
    amount=5_000,
    currency="EUR",
    lines=(
        OrderLine(name="Mug for Asha", quantity=2, unit_amount=1_500, tax_rate="19", tax_amount=479),
        OrderLine(name="Teapot", quantity=1, unit_amount=2_000),
    ),
    customer=Customer(name="Asha Rao", email=EMAIL),
    billing=BillingAddress(name="Asha Rao", lines=("221 Lake View Road",), country="DE", tax_id="33AAACR"),
    locale="de-DE",
    revision=3,
)
ASKED = ErasePersonalData(
    request_id="r-1",
    customer=customer_hash(EMAIL, KEY),
    key_check=key_check(KEY),
    order_ids=("o-1",),
    asked_at=NOW,
    person="kiran",
    reason="ticket 311",
)
PLACES = (ErasedPlace(place="mails", what="addresses", count=2),)
decide = decider("notifier", key_check(KEY))


def heard(message: Message) -> Incoming:
    envelope = wrap(message, source="operator", subject="x", time=NOW)
    return Incoming(envelope.id, envelope, message, b"")


def test_one_customer_has_one_name_that_nobody_can_read_or_try() -> None:
    assert customer_hash(" Asha.Rao@BUYER.test ", KEY) == customer_hash(EMAIL, KEY)
    assert customer_hash(EMAIL, KEY) != customer_hash(EMAIL, OTHER_KEY)
    assert customer_hash(EMAIL, KEY) != customer_hash("asha.rae@buyer.test", KEY)
    assert key_check(KEY) != key_check(OTHER_KEY)


def test_a_blanked_order_keeps_its_money_and_the_country_of_its_tax() -> None:
    blank = blanked(ORDER)
    assert not any(word in blank.encode().decode() for word in WORDS)
    assert (blank.amount, blank.currency, blank.revision, blank.locale) == (5_000, "EUR", 3, "de-DE")
    assert [(x.name, x.quantity, x.unit_amount, x.tax_rate, x.tax_amount) for x in blank.lines] == [
        ("#1", 2, 1_500, "19", 479),
        ("#2", 1, 2_000, None, None),
    ]
    assert blank.billing == BillingAddress(country="DE")
    assert blank.erased
    assert blanked(blank) == blank


def test_only_the_two_messages_that_bring_a_customer_are_changed() -> None:
    register, refund = RegisterOrder(order=ORDER), RefundPayment(order_id="o-1")
    assert without_customer(register) == RegisterOrder(order=blanked(ORDER))
    assert without_customer(ORDER) == blanked(ORDER)
    assert without_customer(refund) is refund


def test_a_request_is_carried_out_once_and_answered_once() -> None:
    asked = decide(Erasure("r-1"), heard(ASKED), NOW)
    assert [read_task(task.payload).request_id for task in asked.tasks] == ["r-1"]
    again = decide(asked.state, heard(ASKED), NOW)
    assert (again.tasks, again.events, again.outcome) == ((), (), "ignored")

    done = Blanked(request_id="r-1", places=PLACES)
    told = decide(asked.state, heard(done), NOW)
    (said,) = told.events
    assert said.message == PersonalDataErased(
        request_id="r-1", service="notifier", places=PLACES, erased_at=NOW
    )
    assert (said.topic, said.key) == ("privacy.events", ASKED.customer)
    assert decide(told.state, heard(done), NOW).events == ()


def test_a_service_with_another_key_refuses_rather_than_forget_somebody() -> None:
    with pytest.raises(Rejected, match="PRIVACY_KEY"):
        decider("notifier", key_check(OTHER_KEY))(Erasure("r-1"), heard(ASKED), NOW)


def test_a_late_arrival_is_blanked_without_a_request() -> None:
    asked = read_task(blank_late("o-1").payload)
    assert (asked.request_id, asked.order_ids) == ("", ("o-1",))


def test_what_a_parked_message_holds() -> None:
    def record(message: Message) -> bytes:
        return encode(wrap(message, source="gateway", subject="o-1", time=NOW))

    assert held_in(record(RegisterOrder(order=ORDER))).order_id == "o-1"
    assert held_in(record(RefundPayment(order_id="o-1"))) == held_in(record(RefundPayment(order_id="o-2")))
    assert held_in(b'{"half": "asha').raw == b'{"half": "asha'
    body = msgspec.json.encode({"payload": {"email": "ASHA.RAO@buyer.test"}})
    webhook = ProviderEventReceived(
        provider="razorpay", account="acc_1", headers={}, body=body, received_at=NOW
    )
    assert held_in(record(webhook)).raw == body
    assert names_one_of(body, [EMAIL])
    bounce = RecordBounce(order_id="o-1", message_id="<1@shop.test>", reason=f"550 <{EMAIL}> unknown")
    assert names_one_of(held_in(record(bounce)).raw, [EMAIL])
    assert not names_one_of(body, ["someone@else.test"])


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (rb'{"email":"a@b.test"}', True),
        (rb'{"from":"Anna \u003ca@b.test\u003e"}', True),
        (rb'{"text":"write to:\na@b.test."}', True),
        (b"contact=%3Ca%40b.test%3E&x=1", True),
        (b"mailto:a@b.test, and others", True),
        (b"first line\na@b.test", True),
        (rb'{"email":"anna@b.test"}', False),
        (rb'{"email":"x.a@b.test"}', False),
        (rb'{"email":"a@b.test.example"}', False),
        (rb'{"email":"a@b.tests"}', False),
    ],
)
def test_only_the_whole_address_names_a_customer(raw: bytes, found: bool) -> None:
    """Another customer's message, blanked for likeness, would be lost."""
    assert names_one_of(raw, ["A@b.test"]) is found


@given(st.binary(max_size=300))
def test_an_address_is_found_in_any_bytes(raw: bytes) -> None:
    assert names_one_of(raw + b" " + EMAIL.upper().encode() + b"\xff" + raw, [EMAIL])
