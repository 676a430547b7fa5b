"""An order whose customer was erased: it stays so, and what turns out late to be its is blanked."""

from dataclasses import replace

import msgspec

from services.payments.domain.orders import place_order
from services.payments.domain.state import Asker, Payment
from services.payments.handlers import Handlers
from services.payments.webhooks import Webhooks
from shared.inbox import Incoming
from shared.messages.base import wrap
from shared.messages.orders import OrderPlaced
from shared.messages.payments import ProviderEventReceived
from shared.privacy.customers import blanked
from shared.privacy.erasures import read_task
from tests.unit.payments.examples import NOW, POLICY, SOMEONE, order


def placed(payment: Payment, content: OrderPlaced) -> Payment:
    return place_order(payment, content, SOMEONE, NOW, POLICY).state


def test_an_order_that_came_in_blank_is_erased_and_stays_so() -> None:
    payment = placed(Payment("order-1"), blanked(order()))
    assert payment.erased
    assert b"asha" not in payment.content
    again = placed(payment, order(customer=order().customer, locale="de"))
    assert again.erased, "another content does not undo it"


def test_telling_an_erased_order_again_changes_nothing() -> None:
    payment = placed(Payment("order-1"), blanked(order()))
    decision = place_order(payment, blanked(order()), Asker("waiting-2"), NOW, POLICY)
    assert decision.state == payment
    assert decision.events == ()
    assert msgspec.json.decode(decision.answers[0].answer)["change"] == "unchanged"


def test_a_webhook_that_finds_its_erased_order_late_is_blanked() -> None:
    webhook = ProviderEventReceived(
        provider="razorpay", account="acc_1", headers={}, body=b"{}", received_at=NOW
    )
    envelope = wrap(webhook, source="gateway", subject="pay_1", time=NOW)
    matched = Incoming(envelope.id, envelope, webhook, b"", task_id=7)
    decide = Handlers(POLICY, Webhooks({})).decide
    erased = msgspec.structs.replace(placed(Payment("order-1"), order()), erased=True)

    (task,) = decide(erased, matched, NOW).tasks
    assert read_task(task.payload).order_ids == ("order-1",)
    assert decide(erased, replace(matched, task_id=None), NOW).tasks == (), "it is kept blank from the start"
    assert decide(msgspec.structs.replace(erased, erased=False), matched, NOW).tasks == ()
