"""What may be ordered, changed and refused before anyone pays."""

import msgspec
import pytest

from services.payments.domain import facts
from services.payments.domain.attempts import create_payment
from services.payments.domain.orders import place_order
from services.payments.domain.state import Asker, Payment
from shared.errors import Rejected
from shared.messages.orders import Customer
from shared.messages.payments import CreatePayment, LookAgain
from tests.unit.payments.examples import (
    AMOUNT,
    POLICY,
    SOMEONE,
    Story,
    cancelled,
    order,
    verified,
)


def test_an_order_is_held_and_published_with_its_revision() -> None:
    story = Story().placed()
    assert story.payment.status == "created"
    assert story.happened() == ["PaymentCreated"]
    assert [e.message.revision for e in story.events if e.topic == "orders.events"] == [1]  # type: ignore[attr-defined]
    assert msgspec.json.decode(story.answers[-1].answer)["change"] == "created"


def test_the_same_order_again_changes_and_says_nothing() -> None:
    story = Story().placed()
    before, events = story.payment, len(story.events)
    story.placed()
    assert (story.payment, len(story.events)) == (before, events)
    assert msgspec.json.decode(story.answers[-1].answer)["change"] == "unchanged"


def test_new_content_before_any_attempt_is_the_next_revision() -> None:
    story = Story().placed()
    other = order(amount=2 * AMOUNT, lines=(replace_quantity(2),))
    story.tell(place_order(story.payment, other, SOMEONE, story.now, POLICY))
    assert (story.payment.amount, story.payment.revision) == (2 * AMOUNT, 2)


def test_new_content_after_an_attempt_is_refused() -> None:
    story = Story().awaiting_buyer()
    other = order(amount=2 * AMOUNT, lines=(replace_quantity(2),))
    story.tell(place_order(story.payment, other, SOMEONE, story.now, POLICY))
    assert story.answers[-1].code == "order-already-started"
    assert story.payment.amount == AMOUNT


def replace_quantity(quantity: int) -> object:
    return msgspec.structs.replace(order().lines[0], quantity=quantity)


def test_lines_that_do_not_add_up_are_refused() -> None:
    story = Story()
    story.tell(place_order(story.payment, order(amount=AMOUNT + 1), SOMEONE, story.now, POLICY))
    assert story.answers[-1].code == "amount-mismatch"
    assert not story.payment.registered


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0, "lines": ()},
        {"amount": -1},
        {"amount": 10**15},
        {"currency": "inr"},
        {"currency": "XXX"},
        {"order_id": "order 1"},
        {"order_id": "o" * 41},
        {"customer": Customer(email="a" * 3000 + "@shop.test")},
    ],
)
def test_a_rule_says_what_is_wrong_with_an_order_of_a_shop_before_the_database_does(
    changes: dict[str, object],
) -> None:
    with pytest.raises(Rejected):
        place_order(Payment("order-1"), order(**changes), Asker(), Story().now, POLICY)


def test_an_order_from_the_topic_that_cannot_be_held_is_never_dropped() -> None:
    with pytest.raises(Rejected, match="amount-mismatch"):
        place_order(Payment("order-1"), order(amount=1), Asker(), Story().now, POLICY)


def test_commands_for_an_unknown_order_are_answered_not_found() -> None:
    story = Story()
    story.tell(create_payment(story.payment, CreatePayment(order_id="order-1"), SOMEONE, story.now, POLICY))
    cancelled(story)
    verified(story)
    story.tell(facts.look_again(story.payment, LookAgain(order_id="order-1"), SOMEONE, story.now, POLICY))
    assert [a.code for a in story.answers] == ["order-not-found"] * 4
