"""A mismatch is announced once per occurrence, and its end once."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone
from services.reconciler.domain.mismatches import (
    Mismatch,
    difference_found,
    difference_gone,
    mismatch_id,
)
from shared.messages.payments import LookAgain
from shared.messages.reconciler import Leg, MismatchDetected, MismatchKind, MismatchResolved

NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
ID = mismatch_id("razorpay", "acc_1", "missing_local", "pay_1")


def found(
    order_id: str | None = "o-1", kind: MismatchKind = "missing_local", run: str = "run-1"
) -> DifferenceFound:
    return DifferenceFound(
        mismatch_id=mismatch_id("razorpay", "acc_1", kind, "pay_1"),
        run_id=run,
        provider="razorpay",
        account="acc_1",
        day=date(2026, 1, 31),
        kind=kind,
        subject="pay_1",
        order_id=order_id,
        legs=(Leg(side="provider", charge_id="pay_1", state="captured", amount=500, currency="INR"),),
    )


def test_the_id_follows_from_what_differs_alone() -> None:
    others = {
        mismatch_id("stripe", "acc_1", "missing_local", "pay_1"),
        mismatch_id("razorpay", "acc_2", "missing_local", "pay_1"),
        mismatch_id("razorpay", "acc_1", "missing_provider", "pay_1"),
        mismatch_id("razorpay", "acc_1", "missing_local", "pay_2"),
    }
    assert len(others | {ID}) == 5
    assert ID == "092dcfe0-a78a-5631-886f-0d330dbddeab"  # published: it may never change


def test_a_difference_of_a_known_order_is_announced_and_looked_at() -> None:
    decision = difference_found(Mismatch(ID), found(), NOW)
    detected, look = decision.events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.topic == "reconciler.events"
    assert detected.key == detected.message.mismatch_id == ID
    assert (detected.message.occurrence, detected.message.proposed_repair) == (1, "look_again")
    assert isinstance(look.message, LookAgain)
    assert (look.topic, look.key) == ("payments.commands", "o-1")


def test_without_an_order_there_is_nothing_to_look_at() -> None:
    (detected,) = difference_found(Mismatch(ID), found(order_id=None), NOW).events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.message.proposed_repair == ""


def test_a_wrong_amount_is_for_a_person() -> None:
    (detected,) = difference_found(Mismatch(ID), found(kind="amount"), NOW).events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.message.proposed_repair == ""


@given(st.lists(st.sampled_from(["found", "gone"]), max_size=20))
def test_detected_and_resolved_alternate_whatever_runs_see(seen: list[str]) -> None:
    mismatch, announced = Mismatch(ID), []
    for n, what in enumerate(seen):
        if what == "found":
            decision = difference_found(mismatch, found(run=f"run-{n}"), NOW)
        else:
            decision = difference_gone(mismatch, DifferenceGone(mismatch_id=ID), NOW)
        mismatch = decision.state
        announced += [e for e in decision.events if e.topic == "reconciler.events"]
    kinds = [type(e.message) for e in announced]
    assert kinds == [MismatchDetected, MismatchResolved] * (len(kinds) // 2) + [MismatchDetected] * (
        len(kinds) % 2
    )
    assert [e.version for e in announced] == list(range(1, len(announced) + 1))
    assert mismatch.open == (bool(seen) and "found" in seen and seen[-1] == "found")
    occurrences = [e.message.occurrence for e in announced if isinstance(e.message, MismatchDetected)]
    assert occurrences == list(range(1, len(occurrences) + 1))
