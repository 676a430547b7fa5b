"""Which provider is asked: preference, health, the buyer's choice, a change of mind, failing over."""

from datetime import timedelta

from msgspec.structs import replace

from services.payments.domain import facts
from services.payments.domain.attempts import attempt_opened, attempt_unanswered, create_payment
from services.payments.domain.people import mark_payment, resolve_flag
from services.payments.domain.state import Asker
from shared.messages.facts import (
    AttemptOpened,
    AttemptUnanswered,
    ChargeFact,
    Looked,
    ProviderOrderFact,
    Seen,
)
from shared.messages.payments import ConfirmCheckout, CreatePayment, MarkPayment, ResolveFlag
from tests.unit.payments.examples import AMOUNT, SOMEONE, THREE, Story, charge


def wants(story: Story, provider: str, who: str = "buyer-2") -> Story:
    command = CreatePayment(order_id="order-1", provider=provider)
    return story.tell(create_payment(story.payment, command, Asker(who), story.now, story.policy))


def looked_for_a_switch(story: Story, *charges: ChargeFact) -> Story:
    attempt = story.payment.attempts[0]
    story.open_tasks.pop(f"switch:{attempt.id}", None)
    result = Looked(order_id="order-1", attempt_id=attempt.id, reason="switch", seen=Seen(charges=charges))
    return story.tell(facts.looked(story.payment, result, story.now, story.policy))


def at_stripe() -> Story:
    return Story(policy=THREE).placed().asked_to_pay("stripe").opened()


def test_the_first_healthy_provider_is_asked_and_the_reason_kept() -> None:
    story = Story(policy=replace(THREE, unhealthy=frozenset({"razorpay"}))).placed().asked_to_pay()
    assert story.payment.attempts[0].provider == "stripe"
    assert story.payment.attempts[0].why == "preferred; razorpay is not healthy"


def test_a_currency_may_prefer_another_provider() -> None:
    policy = replace(THREE, order_by_currency={"INR": ("paypal",)})
    assert Story(policy=policy).placed().asked_to_pay().payment.attempts[0].provider == "paypal"


def test_an_unhealthy_provider_is_better_than_none() -> None:
    policy = replace(THREE, unhealthy=frozenset(THREE.providers))
    assert Story(policy=policy).placed().asked_to_pay().payment.attempts[0].provider == "razorpay"


def test_another_provider_is_asked_after_a_look_at_the_open_attempt() -> None:
    story = wants(at_stripe(), "paypal")
    assert [t["reason"] for t in story.asked("look") if t["reason"] == "switch"] == ["switch"]
    looked_for_a_switch(story)
    old, new = story.payment.attempts
    assert (old.state, new.provider, new.state) == ("superseded", "paypal", "opening")
    assert [t["attempt_id"] for t in story.asked("cancel")] == [old.id]
    story.opened("order_P2")
    assert story.answers[-1].correlation_id == "buyer-2"
    assert story.answered()[1]["provider"] == "paypal"


def test_an_attempt_that_expires_during_the_look_is_not_given_to_who_wanted_another_provider() -> None:
    story = wants(at_stripe(), "paypal").later(1800)
    answers = len(story.answers)
    waited = tuple(replace(w, until=story.now + timedelta(seconds=9)) for w in story.payment.waiting)
    story.payment = replace(story.payment, waiting=waited)
    attempt = story.payment.attempts[0]
    result = Looked(order_id="order-1", attempt_id=attempt.id, reason="schedule", seen=Seen())
    story.tell(facts.looked(story.payment, result, story.now, story.policy))
    assert ([a.state for a in story.payment.attempts], len(story.answers)) == (["expired"], answers)
    looked_for_a_switch(story)
    assert [a.provider for a in story.payment.attempts] == ["stripe", "paypal"]
    story.opened("order_P2")
    assert story.answered()[1]["provider"] == "paypal"


def test_money_in_flight_keeps_the_open_attempt() -> None:
    story = looked_for_a_switch(wants(at_stripe(), "paypal"), charge("pending"))
    assert [a.state for a in story.payment.attempts] == ["open"]
    assert story.answered()[0] == "attempt-in-flight"


def test_a_return_from_the_superseded_attempt_waits_for_a_read_of_that_one() -> None:
    story = looked_for_a_switch(wants(at_stripe(), "paypal")).opened("order_P2")
    answer_a_look(came_back(story, "paypal", "order_P2", "new"), number=1)
    assert story.answers[-1].correlation_id == "new"
    came_back(story, "stripe", "order_P1", "old")
    assert story.answers[-1].correlation_id == "new"
    answer_a_look(story, number=0)
    assert story.answers[-1].correlation_id == "old"


def test_a_return_from_a_provider_that_is_no_longer_set_up_is_answered() -> None:
    story = at_stripe()
    story.policy = replace(story.policy, providers={})
    came_back(story, "stripe", "order_P1", "late")
    assert (story.answers[-1].correlation_id, story.answers[-1].code) == ("late", "provider-unavailable")
    assert story.payment.attempts[0].verify_asked == 0


def came_back(story: Story, provider: str, provider_order_id: str, who: str) -> Story:
    command = ConfirmCheckout(order_id="order-1", provider=provider, provider_order_id=provider_order_id)
    return story.tell(facts.confirm_checkout(story.payment, command, Asker(who), story.now, story.policy))


def answer_a_look(story: Story, number: int) -> None:
    attempt = story.payment.attempts[number]
    result = Looked(order_id="order-1", attempt_id=attempt.id, reason="verify", verify=1)
    story.tell(facts.looked(story.payment, result, story.now, story.policy))


def test_money_that_arrives_on_a_superseded_attempt_pays_and_a_second_capture_goes_back() -> None:
    story = looked_for_a_switch(wants(at_stripe(), "paypal")).opened("order_P2")
    story.heard(charge("captured"), provider="stripe")
    assert story.payment.status == "paid"
    second = replace(charge("captured", "CAP-1"), provider_order_id="order_P2")
    story.heard(second, provider="paypal")
    assert [(r.charge_id, r.origin) for r in story.payment.refunds] == [("CAP-1", "policy")]


def unanswered(story: Story, tries: int) -> Story:
    attempt = story.payment.attempts[0]
    result = AttemptUnanswered(order_id="order-1", attempt_id=attempt.id, tries=tries)
    story.open_tasks.pop(f"open:{attempt.id}", None)
    return story.tell(attempt_unanswered(story.payment, result, story.now, story.policy))


def failed_over() -> Story:
    return unanswered(unanswered(Story(policy=THREE).placed().asked_to_pay(), 0), 1)


def test_an_unanswered_create_fails_over_and_its_orphan_is_looked_for() -> None:
    story = failed_over()
    old, new = story.payment.attempts
    assert (old.state, new.provider) == ("abandoned", "stripe")
    assert new.why == "razorpay did not answer"
    requests = {t["attempt_id"]: t for t in story.asked("open_order")}
    assert requests[old.id]["only_look"] is True
    assert requests[new.id]["only_look"] is False


def test_a_provider_that_the_buyer_chose_is_not_replaced() -> None:
    story = unanswered(unanswered(Story(policy=THREE).placed().asked_to_pay("razorpay"), 0), 1)
    assert [(a.provider, a.state) for a in story.payment.attempts] == [("razorpay", "unanswered")]


def test_an_orphan_that_is_found_is_never_shown_to_anyone() -> None:
    story = failed_over().opened("pi_2")
    old = story.payment.attempts[0]
    fact = ProviderOrderFact(provider_order_id="order_P1", reference=old.id, amount=AMOUNT, currency="INR")
    result = AttemptOpened(order_id="order-1", attempt_id=old.id, fact=fact)
    story.tell(attempt_opened(story.payment, result, story.now, story.policy))
    assert [a.state for a in story.payment.attempts] == ["superseded", "open"]
    assert story.asked_to_pay().answered()[1]["provider_order_id"] == "pi_2"


def test_an_orphan_that_is_not_found_ends() -> None:
    story = failed_over()
    for tries in range(2, 8):
        unanswered(story, tries)
    assert story.payment.attempts[0].state == "refused"


# --- what only a person decides -----------------------------------------------------------------------------


def test_a_person_marks_an_order_as_paid_elsewhere_once() -> None:
    story = Story().awaiting_buyer()
    command = MarkPayment(order_id="order-1", source="bank", person="asha", reason="paid by transfer")
    for _ in range(2):
        story.tell(mark_payment(story.payment, command, SOMEONE, story.now, story.policy))
    assert story.payment.status == "paid"
    assert story.payment.charges[0].by == "asha: paid by transfer"
    assert story.happened().count("PaymentPaid") == 1
    assert story.answered()[0] == "already-paid"


def test_a_flag_is_resolved_by_a_person_and_stays_on_record() -> None:
    story = Story().awaiting_buyer().heard(charge("captured", amount=AMOUNT - 1))
    command = ResolveFlag(
        order_id="order-1", flag="amount_mismatch", subject="pay_1", person="asha", reason="refunded by hand"
    )
    story.tell(resolve_flag(story.payment, command, SOMEONE, story.now, story.policy))
    assert story.happened()[-1] == "FlagResolved"
    assert story.payment.flags[0].resolved_by == "asha"
    story.heard(charge("captured", amount=AMOUNT - 1))
    assert len(story.payment.flags) == 1
    story.tell(resolve_flag(story.payment, command, SOMEONE, story.now, story.policy))
    assert story.answered()[0] == "flag-not-found"
