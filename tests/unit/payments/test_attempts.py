"""How an attempt at a provider begins: once, durably, and answered to everyone who waits."""

import msgspec
import pytest

from services.payments.domain.attempts import (
    attempt_opened,
    attempt_refused,
    attempt_unanswered,
    create_payment,
)
from services.payments.domain.orders import place_order
from services.payments.domain.state import Asker
from shared.messages.facts import (
    AttemptOpened,
    AttemptRefused,
    AttemptUnanswered,
    ProviderOrderFact,
)
from shared.messages.payments import CreatePayment
from tests.unit.payments.examples import (
    AMOUNT,
    POLICY,
    SOMEONE,
    Story,
    cancelled,
    order,
)


def test_a_payment_starts_with_a_durable_intent_that_holds_the_exact_request() -> None:
    story = Story().placed().asked_to_pay()
    (task,) = [t for t in story.open_tasks.values() if t.kind == "open_order"]
    request = msgspec.json.decode(task.payload)
    assert request["attempt_id"] == story.payment.attempts[0].id
    assert (request["amount"], request["currency"], request["lookup_first"]) == (AMOUNT, "INR", False)
    assert 10 <= len(request["attempt_id"]) <= 40


def test_everyone_who_asks_while_it_is_opened_gets_the_same_answer() -> None:
    story = Story().placed().asked_to_pay()
    again = CreatePayment(order_id="order-1")
    story.tell(create_payment(story.payment, again, Asker("waiting-2"), story.now, POLICY))
    assert len(story.payment.attempts) == 1
    story.opened()
    replies = {a.correlation_id: a.answer for a in story.answers}
    assert replies["waiting-1"] == replies["waiting-2"]
    assert msgspec.json.decode(replies["waiting-2"])["provider_order_id"] == "order_P1"


def test_asking_again_while_it_is_open_gives_the_same_attempt() -> None:
    story = Story().awaiting_buyer()
    first = story.answers[-1].answer
    story.asked_to_pay()
    assert story.answers[-1].answer == first
    assert len(story.payment.attempts) == 1


def test_an_unanswered_create_is_unknown_and_looked_up_never_created_again_blindly() -> None:
    story = Story().placed().asked_to_pay()
    attempt = story.payment.attempts[0]
    story.open_tasks.clear()
    result = AttemptUnanswered(order_id="order-1", attempt_id=attempt.id)
    story.tell(attempt_unanswered(story.payment, result, story.now, POLICY))
    assert (story.payment.status, story.payment.detail) == ("processing", "unknown")
    (task,) = story.open_tasks.values()
    assert msgspec.json.decode(task.payload)["lookup_first"] is True
    story.opened()
    assert (story.payment.status, story.payment.detail) == ("pending_payment", "awaiting_buyer")


def test_a_refused_create_lets_the_buyer_try_again_with_a_new_attempt() -> None:
    story = Story().placed().asked_to_pay()
    refused = AttemptRefused(
        order_id="order-1", attempt_id=story.payment.attempts[0].id, code="provider-rejected"
    )
    story.tell(attempt_refused(story.payment, refused, story.now, POLICY))
    assert story.answers[-1].code == "provider-rejected"
    assert story.payment.status == "created"
    story.asked_to_pay()
    assert [a.state for a in story.payment.attempts] == ["refused", "opening"]


def test_an_unanswered_create_that_is_refused_in_the_end_lets_the_buyer_try_again() -> None:
    story = Story().placed().asked_to_pay()
    attempt_id = story.payment.attempts[0].id
    unanswered = AttemptUnanswered(order_id="order-1", attempt_id=attempt_id)
    story.tell(attempt_unanswered(story.payment, unanswered, story.now, POLICY))
    refused = AttemptRefused(order_id="order-1", attempt_id=attempt_id, code="provider-rejected")
    story.tell(attempt_refused(story.payment, refused, story.now, POLICY))
    assert story.answers[-1].code == "provider-rejected"
    assert (story.payment.status, story.happened()[-1]) == ("created", "PaymentAttemptEnded")


def test_an_amount_that_no_provider_takes_is_refused_up_front() -> None:
    small = order(amount=50, lines=(msgspec.structs.replace(order().lines[0], unit_amount=50),))
    story = Story()
    story.tell(place_order(story.payment, small, SOMEONE, story.now, POLICY))
    story.asked_to_pay()
    assert story.answers[-1].code == "amount-out-of-range"
    assert story.payment.attempts == ()


def test_waiters_who_gave_up_are_forgotten() -> None:
    story = Story().placed().asked_to_pay().later(61)
    story.tell(
        attempt_unanswered(
            story.payment,
            AttemptUnanswered(order_id="order-1", attempt_id=story.payment.attempts[0].id),
            story.now,
            POLICY,
        )
    )
    assert story.payment.waiting == ()


@pytest.mark.parametrize("known", [False, True], ids=["closed meanwhile", "opened meanwhile"])
def test_a_webhook_that_found_its_order_by_asking_is_read_whatever_happened_meanwhile(known: bool) -> None:
    """The webhook itself is not decided again: without the read, what it said would be lost."""
    story = Story().placed().asked_to_pay()
    story = story.opened() if known else cancelled(story)
    attempt_id = story.payment.attempts[0].id
    fact = ProviderOrderFact(
        provider_order_id="order_P1", reference=attempt_id, amount=AMOUNT, currency="INR"
    )
    found = AttemptOpened(order_id="order-1", attempt_id=attempt_id, fact=fact, look_now=True)
    story.tell(attempt_opened(story.payment, found, story.now, POLICY))
    assert story.open_tasks[f"asked:{attempt_id}"].delay_s == 0.0
