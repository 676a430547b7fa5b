"""The order property for money that goes back: refunds, disputes, captures by hand and of approvals.

For each provider's way of working: provider facts between two of our own decisions come in any order and
number, and end in the same money, status, refunds, disputes, provider writes and announcements.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of, refundable
from services.payments.domain.captures import capture_ended, capture_payment
from services.payments.domain.orders import cancel_order
from services.payments.domain.refunds import refund_ended, refund_payment
from services.payments.domain.status import reachable
from shared.messages.base import IdempotencyKey
from shared.messages.facts import (
    CaptureEnded,
    ChargeFact,
    ChargeState,
    DisputeFact,
    Looked,
    RefundEnded,
    RefundFact,
    RefundState,
    Seen,
)
from shared.messages.payments import CancelOrder, CapturePayment, RefundPayment
from tests.unit.payments.examples import AMOUNT, SOMEONE, THREE, Story

Step = Callable[[Story], None]
SEQUENCES = int(os.environ.get("PAYSTREAM_SEQUENCES", "150")) // 2
COUNTED: Counter[str] = Counter()
ONCE = ("PaymentPaid", "PaymentRefunded", "RefundRequested", "RefundSucceeded", "RefundFailed",
        "DisputeOpened", "DisputeClosed", "PaymentClosed")  # fmt: skip


# --- our own decisions --------------------------------------------------------------------------------------


def refund(amount: int | None, key: str) -> Step:
    def step(story: Story) -> None:
        command = RefundPayment(
            order_id="order-1",
            amount=amount,
            idempotency=IdempotencyKey(principal="shop", key=key, fingerprint=b"x"),
        )
        story.tell(refund_payment(story.payment, command, SOMEONE, story.now, story.policy))

    return step


def capture_by_hand(story: Story) -> None:
    command = CapturePayment(order_id="order-1")
    story.tell(capture_payment(story.payment, command, SOMEONE, story.now, story.policy))


def cancel(story: Story) -> None:
    story.tell(cancel_order(story.payment, CancelOrder(order_id="order-1"), SOMEONE, story.now, story.policy))


def approved(story: Story) -> None:
    """A read says that the buyer approved: where that is how it works, our capture follows."""
    look(story, Seen(approved=True))


DECISIONS = (
    refund(AMOUNT // 3, "k1"), refund(AMOUNT // 3, "k2"), refund(None, "k3"), capture_by_hand, cancel,
    approved,
)  # fmt: skip


# --- provider facts -----------------------------------------------------------------------------------------


def provider_of(story: Story) -> str:
    return story.payment.attempts[0].provider


def look(story: Story, what: Seen) -> None:
    attempt = story.payment.attempts[0]
    result = Looked(order_id="order-1", attempt_id=attempt.id, reason="asked", seen=what)
    story.tell(facts.looked(story.payment, result, story.now, story.policy))


def by_webhook(what: Seen) -> Step:
    return lambda story: void(
        story.tell(facts.seen(story.payment, provider_of(story), what, story.now, story.policy))
    )


def by_read(what: Seen) -> Step:
    return lambda story: look(story, what)


def void(_: object) -> None:
    return None


def charge_fact(state: ChargeState) -> ChargeFact:
    return ChargeFact(
        charge_id="ch_1", provider_order_id="order_P1", state=state, amount=AMOUNT, currency="INR"
    )


def our_refund_ended(number: int, state: RefundState | None) -> Step:
    """What the provider says of the refund that we asked for as number `number`; None: it refuses."""

    def step(story: Story) -> None:
        ours = [r for r in story.payment.refunds if r.origin == "api"]
        if number >= len(ours):
            return
        mine = ours[number]
        fact = RefundFact(
            refund_id=f"re_{mine.id}", charge_id="ch_1", state=state or "pending", amount=mine.amount,
            currency="INR", reference=mine.id,
        )  # fmt: skip
        result = RefundEnded(
            order_id="order-1", provider=mine.provider, refund_id=mine.id, fact=fact if state else None,
            refused="" if state else "no",
        )  # fmt: skip
        story.tell(refund_ended(story.payment, result, story.now, story.policy))

    return step


def capture_ended_step(state: ChargeState) -> Step:
    """The end of a capture that was asked for; nothing when none was."""

    def step(story: Story) -> None:
        attempt = story.payment.attempts[0]
        if not attempt.captures_asked:
            return
        result = CaptureEnded(
            order_id="order-1", provider=attempt.provider, charge=charge_fact(state), attempt_id=attempt.id,
            number=1,
        )  # fmt: skip
        story.tell(capture_ended(story.payment, result, story.now, story.policy))

    return step


elsewhere = st.builds(
    RefundFact,
    refund_id=st.sampled_from(["re_dash_1", "re_dash_2"]),
    charge_id=st.just("ch_1"),
    state=st.sampled_from(["pending", "succeeded", "failed"]),
    amount=st.just(1000),
    currency=st.just("INR"),
)
disputes = st.builds(
    DisputeFact,
    dispute_id=st.sampled_from(["dp_1", "dp_2"]),
    charge_id=st.just("ch_1"),
    kind=st.sampled_from(["inquiry", "chargeback"]),
    state=st.sampled_from(["open", "under_review", "closed", "won", "lost"]),
    money=st.sampled_from(["none", "withdrawn", "reinstated"]),
    amount=st.just(AMOUNT // 2),
    currency=st.just("INR"),
)
money_facts = st.one_of(
    elsewhere.map(lambda r: Seen(refunds=(r,))), disputes.map(lambda d: Seen(disputes=(d,)))
)
own_ends = st.builds(our_refund_ended, st.integers(0, 2), st.sampled_from(["pending", "succeeded", "failed"]))


def charge_steps(states: tuple[ChargeState, ...]) -> st.SearchStrategy[Step]:
    seen = st.sampled_from(states).map(lambda s: Seen(charges=(charge_fact(s),)))
    return st.one_of(seen.map(by_webhook), seen.map(by_read))


APPROVAL_ENDS: tuple[ChargeState, ...] = ("pending", "captured")
STEPS = {
    "razorpay": charge_steps(("pending", "failed", "authorized", "captured")),
    "stripe": charge_steps(("pending", "failed", "authorized", "lapsed", "captured")),
    "paypal": st.sampled_from(APPROVAL_ENDS).map(capture_ended_step),
}


# --- the property -------------------------------------------------------------------------------------------


def run(provider: str, capture: str, segments: list[tuple[Step, list[Step]]]) -> Story:
    story = Story(policy=THREE).placed(capture=capture).asked_to_pay(provider).opened()
    last = story.payment.status
    for decision, steps in segments:
        for step in (decision, *steps):
            step(story)
            COUNTED["steps"] += 1
            now = story.payment.status
            assert now == last or (last, now) in reachable(), f"{last} → {now}"
            last = now
            check_money(story)
    COUNTED["sequences"] += 1
    return story


def check_money(story: Story) -> None:
    """What must hold after each step, whatever came before it."""
    amounts = amounts_of(story.payment)
    assert amounts.net == amounts.captured - amounts.refunded - amounts.disputed - amounts.lost
    for charge in story.payment.charges:
        ours = [r for r in story.payment.refunds if r.origin != "provider" and r.state != "failed"]
        assert sum(r.amount for r in ours if r.charge_id == charge.charge_id) <= charge.amount
        assert 0 <= refundable(story.payment, charge) <= charge.amount
    names = Counter(story.happened())
    assert names["PaymentPaid"] <= 1
    captured = {c.charge_id for c in story.payment.charges if c.state == "captured"}
    assert names["RefundRequested"] == sum(r.charge_id in captured for r in story.payment.refunds)
    assert names["DisputeOpened"] == len(story.payment.disputes)
    versions = [e.version for e in story.events if e.topic == "payments.events"]
    assert versions == list(range(1, len(versions) + 1))


def end_of(story: Story) -> object:
    names = Counter(story.happened())
    return (
        amounts_of(story.payment),
        (story.payment.status, story.payment.detail),
        frozenset((r.id, r.state, r.amount, r.succeeded) for r in story.payment.refunds),
        frozenset((d.dispute_id, d.kind, d.state, d.money) for d in story.payment.disputes),
        frozenset(key for key in story.open_tasks if key.startswith(("refund:", "capture:", "cancel:"))),
        tuple(names[name] for name in ONCE if name != "PaymentRefunded"),
        tuple(sorted(Counter(f.reason for f in story.payment.flags).items())),
    )


@st.composite
def histories(draw: st.DrawFn, provider: str) -> tuple[list[tuple[Step, list[Step]]], ...]:
    """A history, and the same with the facts of each segment shuffled and some of them repeated."""
    original, shuffled = [], []
    steps_of_a_segment = st.one_of(
        STEPS[provider], STEPS[provider], money_facts.map(by_webhook), money_facts.map(by_read), own_ends
    )
    for decision in draw(st.lists(st.sampled_from(DECISIONS), min_size=1, max_size=4)):
        steps = draw(st.lists(steps_of_a_segment, max_size=5))
        original.append((decision, steps))
        repeated = steps + (draw(st.lists(st.sampled_from(steps), max_size=3)) if steps else [])
        shuffled.append((decision, list(draw(st.permutations(repeated)))))
    return original, shuffled


@pytest.mark.parametrize(
    ("provider", "capture"),
    [("razorpay", "automatic"), ("razorpay", "manual"), ("stripe", "automatic"), ("stripe", "manual"),
     ("paypal", "automatic")],
)  # fmt: skip
def test_money_facts_in_any_order_end_the_same(provider: str, capture: str) -> None:
    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(histories(provider))
    def check(history: tuple[list[tuple[Step, list[Step]]], ...]) -> None:
        original, shuffled = (run(provider, capture, segments) for segments in history)
        assert end_of(original) == end_of(shuffled)

    check()


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    yield
    print(f"\norder of money facts: {COUNTED['sequences']} sequences, {COUNTED['steps']} steps")
