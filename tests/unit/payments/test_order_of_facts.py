"""The order property: between two of our own decisions, provider facts may come in any order and number.

Every permutation and repetition ends in equal money, status, provider writes, flags, `PaymentPaid` and
`PaymentClosed`. Not compared, because they may differ: intermediate status events, version numbers, and
which of two captures stands. Moving a fact across a decision may matter for the listed pairs alone.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.orders import cancel_order
from services.payments.domain.status import ALLOWED
from shared.messages.facts import ChargeFact, ChargeState, Looked, Seen
from shared.messages.payments import CancelOrder, ConfirmCheckout, PaymentEvent
from tests.unit.payments.examples import AMOUNT, POLICY, SOMEONE, Story, charge

Step = Callable[[Story], None]
Reason = Literal["asked", "schedule"]
SEQUENCES = int(os.environ.get("PAYSTREAM_SEQUENCES", "150"))
COUNTED: Counter[str] = Counter()


# --- our own decisions, each at one place in the history ----------------------------------------------------


def attempt(story: Story) -> None:
    if story.payment.attempts and story.payment.attempts[-1].state == "open":
        return
    before = len(story.payment.attempts)
    story.asked_to_pay()
    if len(story.payment.attempts) > before:
        story.opened(f"order_P{before + 1}")


def verify(story: Story) -> None:
    command = ConfirmCheckout(order_id="order-1", provider="razorpay", provider_order_id="order_P1")
    story.tell(facts.confirm_checkout(story.payment, command, SOMEONE, story.now, POLICY))


def cancel(story: Story) -> None:
    story.tell(cancel_order(story.payment, CancelOrder(order_id="order-1"), SOMEONE, story.now, POLICY))


def attempt_time_is_over(story: Story) -> None:
    """A scheduled read after the attempt's end that shows nothing."""
    story.later(1801)
    read((), reason="schedule")(story)


def order_time_is_over(story: Story) -> None:
    story.later(86_401)
    story.tell(facts.close_due(story.payment, story.now, POLICY))
    read((), reason="schedule")(story)


DECISIONS: tuple[Step, ...] = (attempt, verify, cancel, attempt_time_is_over, order_time_is_over)


# --- provider facts: webhooks and reads -------------------------------------------------------


def webhook(fact: ChargeFact) -> Step:
    return lambda story: void(story.heard(fact))


def read(charges: tuple[ChargeFact, ...], verify_number: int = 0, reason: Reason = "asked") -> Step:
    """A read is a fact. Only a scheduled one also lets us decide that time is over."""

    def step(story: Story) -> None:
        result = Looked(
            order_id="order-1",
            attempt_id=story.payment.attempts[0].id,
            reason="verify" if verify_number else reason,
            seen=Seen(charges=charges),
            verify=verify_number,
        )
        story.tell(facts.looked(story.payment, result, story.now, POLICY))

    return step


def void(_: object) -> None:
    return None


STATES: tuple[ChargeState, ...] = ("pending", "failed", "authorized", "lapsed", "captured")
charge_facts = st.builds(
    charge,
    state=st.sampled_from(STATES),
    charge_id=st.sampled_from(["pay_1", "pay_2", "pay_3"]),
    amount=st.sampled_from([AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT - 1, AMOUNT + 1]),
)
provider_steps = st.one_of(
    charge_facts.map(webhook),
    st.lists(charge_facts, max_size=3).map(tuple).map(read),
    st.integers(1, 2).map(lambda n: read((), n)),
)


@dataclass(frozen=True)
class End:
    """All that must not depend on the order of facts."""

    money: object
    status: tuple[str, str]
    captures_asked: int
    given_back: frozenset[tuple[int, str]]
    paid: int
    late: int
    closed: int
    flags: tuple[tuple[str, int], ...]
    orders_at_provider: int
    charges: frozenset[tuple[str, str, int]]


def end_of(story: Story) -> End:
    names = Counter(story.happened())
    late = sum(getattr(e.message, "late", False) for e in story.events)
    return End(
        money=amounts_of(story.payment),
        status=(story.payment.status, story.payment.detail),
        captures_asked=sum(t.kind == "capture" for t in story.open_tasks.values()),
        given_back=frozenset((r.amount, r.state) for r in story.payment.refunds),
        paid=names["PaymentPaid"],
        late=late,
        closed=names["PaymentClosed"],
        flags=tuple(sorted(Counter(f.reason for f in story.payment.flags).items())),
        orders_at_provider=len(story.payment.attempts),
        charges=frozenset((c.charge_id, c.state, c.amount) for c in story.payment.charges),
    )


def run(segments: list[tuple[Step, list[Step]]]) -> Story:
    story = Story().placed()
    attempt(story)
    last = story.payment.status
    for decision, provider in segments:
        for step in (decision, *provider):
            step(story)
            COUNTED["steps"] += 1
            now = story.payment.status
            assert now == last or (last, now) in ALLOWED, f"{last} → {now}"
            last = now
            assert said(story) == (story.payment.status, story.payment.detail), step
    COUNTED["sequences"] += 1
    return story


def said(story: Story) -> tuple[str, str]:
    """(status, detail) as a reader of the events knows them: no state may change without a word."""
    newest = next(e.message for e in reversed(story.events) if isinstance(e.message, PaymentEvent))
    return newest.payment.status, newest.payment.detail


def balanced(story: Story) -> None:
    """Captured = kept + given back + flagged, to the last minor unit; PaymentPaid at most once."""
    captured = amounts_of(story.payment).captured
    back = sum(r.amount for r in story.payment.refunds if r.origin == "policy")
    standing = story.payment.standing
    kept = standing.amount if standing else 0
    reasons = {"duplicate_capture", "amount_mismatch"}
    flagged_ids = {f.subject for f in story.payment.flags if f.reason in reasons}
    others = [c for c in story.payment.charges if c.state == "captured" and not c.stands]
    going_back = {r.charge_id for r in story.payment.refunds}
    flagged = sum(c.amount for c in others if c.charge_id in flagged_ids - going_back)
    assert captured == kept + back + flagged
    assert story.happened().count("PaymentPaid") <= 1


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[Step, list[Step]]], list[tuple[Step, list[Step]]]]:
    """A history, and the same with the facts of each segment shuffled and some of them repeated."""
    original, shuffled = [], []
    for decision in draw(st.lists(st.sampled_from(DECISIONS), min_size=1, max_size=4)):
        steps = draw(st.lists(provider_steps, max_size=5))
        original.append((decision, steps))
        repeated = steps + (draw(st.lists(st.sampled_from(steps), max_size=3)) if steps else [])
        shuffled.append((decision, list(draw(st.permutations(repeated)))))
    return original, shuffled


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories())
def test_any_order_and_number_of_facts_ends_the_same(
    history: tuple[list[tuple[Step, list[Step]]], list[tuple[Step, list[Step]]]],
) -> None:
    original, shuffled = (run(segments) for segments in history)
    assert end_of(original) == end_of(shuffled)
    balanced(original)
    balanced(shuffled)


EVERY_DAY = [
    charge("authorized"),
    charge("captured"),
    charge("captured"),  # order.paid says the same
    charge("failed", "pay_0"),
    charge("captured", "pay_2"),
]


def test_all_permutations_of_an_every_day_set_of_facts_end_the_same() -> None:
    ends = {end_of(run([(verify, [webhook(f) for f in order])])) for order in permutations(EVERY_DAY)}
    assert len(ends) == 1
    (end,) = ends
    assert (end.paid, end.status, dict(end.flags)) == (1, ("paid", ""), {})
    assert end.given_back == {(AMOUNT, "requested")}


CROSSED = {
    ("cancel", "capture"): (cancel, {"cancel_after_payment": 1}, {"late_success": 1}, 1),
    ("expiry", "capture"): (order_time_is_over, {}, {"late_success": 1}, 1),
}  # supersede × capture is in test_switching


@pytest.mark.parametrize("pair", sorted(CROSSED))
def test_a_capture_moved_across_a_decision_ends_as_listed(pair: tuple[str, str]) -> None:
    decision, flags_capture_first, flags_decision_first, closed = CROSSED[pair]
    capture = webhook(charge("captured"))
    first = run([(verify, [capture, read((), 1)]), (decision, [])])
    last = run([(verify, [read((), 1)]), (decision, [capture])])
    for story in (first, last):
        assert story.payment.status == "paid"
        assert story.happened().count("PaymentPaid") == 1
        balanced(story)
    assert dict(end_of(first).flags) == flags_capture_first
    assert dict(end_of(last).flags) == flags_decision_first
    assert (end_of(first).closed, end_of(last).closed) == (0, closed)


@pytest.fixture(scope="module", autouse=True)
def counted() -> object:
    yield
    print(f"\norder property: {COUNTED['sequences']} sequences, {COUNTED['steps']} steps")
