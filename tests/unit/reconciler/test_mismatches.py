"""A mismatch is announced once per occurrence, and its end once; what moves money waits for a person."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone
from services.reconciler.domain.matching import Difference
from services.reconciler.domain.mismatches import (
    FORGOTTEN,
    Mismatch,
    accept_mismatch,
    approve_repair,
    difference_found,
    difference_gone,
    mismatch_id,
)
from services.reconciler.domain.repairs import severity
from shared.decision import Decision
from shared.messages.payments import LookAgain, RefundPayment
from shared.messages.reconciler import (
    AcceptMismatch,
    ApproveRepair,
    Leg,
    MismatchDetected,
    MismatchKind,
    MismatchResolved,
)

NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
ID = mismatch_id("razorpay", "acc_1", "missing_local", "pay_1")
THEIRS = Leg(side="provider", charge_id="pay_1", state="captured", amount=50_000, currency="INR")
OURS = Leg(side="ours", charge_id="pay_1", order_id="o-1", state="captured", amount=50_000, currency="INR")


def found(
    kind: MismatchKind = "missing_local", order_id: str | None = "o-1", *legs: Leg, returns: int = 0
) -> DifferenceFound:
    difference = Difference(
        kind, "charge", "pay_1", order_id, "pay_1", 50_000, "INR", NOW, legs or (THEIRS,), returns
    )  # fmt: skip
    return DifferenceFound(
        mismatch_id=mismatch_id("razorpay", "acc_1", kind, "pay_1"),
        run_id="run-1",
        provider="razorpay",
        account="acc_1",
        difference=difference,
    )


def opened(fact: DifferenceFound) -> Decision[Mismatch]:
    return difference_found(Mismatch(fact.mismatch_id), fact, NOW)


def accepted(known: Mismatch, reason: str = "the bank says so", person: str = "asha") -> Decision[Mismatch]:
    command = AcceptMismatch(
        mismatch_id=known.mismatch_id, occurrence=known.occurrence, person=person, reason=reason
    )
    return accept_mismatch(known, command, NOW, None)


def approved(known: Mismatch, occurrence: int = 1, person: str = "asha") -> Decision[Mismatch]:
    command = ApproveRepair(mismatch_id=known.mismatch_id, occurrence=occurrence, person=person)
    return approve_repair(known, command, NOW, None)


def gone(known: Mismatch) -> Decision[Mismatch]:
    return difference_gone(known, DifferenceGone(mismatch_id=known.mismatch_id), NOW)


def test_the_id_follows_from_what_differs_alone() -> None:
    others = {
        mismatch_id("stripe", "acc_1", "missing_local", "pay_1"),
        mismatch_id("razorpay", "acc_2", "missing_local", "pay_1"),
        mismatch_id("razorpay", "acc_1", "missing_provider", "pay_1"),
        mismatch_id("razorpay", "acc_1", "missing_local", "pay_2"),
    }
    assert len(others | {ID}) == 5
    assert ID == "092dcfe0-a78a-5631-886f-0d330dbddeab"  # published: it may never change


LOOKS: list[MismatchKind] = [
    "missing_local", "missing_provider", "status", "late_success", "refund", "dispute"
]  # fmt: skip


@pytest.mark.parametrize("kind", LOOKS)
def test_what_a_look_may_mend_is_looked_at_by_itself(kind: MismatchKind) -> None:
    decision = opened(found(kind))
    detected, look = decision.events
    assert isinstance(detected.message, MismatchDetected)
    assert (detected.message.proposed_repair, detected.message.needs_approval) == ("look_again", False)
    assert isinstance(look.message, LookAgain)
    assert (look.topic, look.key) == ("payments.commands", "o-1")
    assert [t.kind for t in decision.tasks] == ["recheck"]
    assert [n.what for n in decision.state.notes] == ["detected", "proposed", "sent"]


def test_looks_by_itself_come_at_growing_pauses_and_end_with_a_person() -> None:
    """Found every ten minutes for a week, and gone for a moment each day: four looks in all."""
    fact, known, now, sent = found(), Mismatch(ID), NOW, []
    for n in range(6 * 24 * 7):
        now = NOW + n * timedelta(minutes=10)
        if n % 144 == 143:
            known = difference_gone(known, DifferenceGone(mismatch_id=ID), now).state
        decision = difference_found(known, fact, now)
        known = decision.state
        sent += [e.time - NOW for e in decision.events if isinstance(e.message, LookAgain)]
    assert sent == [timedelta(hours=h) for h in (0, 1, 5, 21)]
    assert (known.repair.command, known.repair.needs_approval) == ("look_again", True)
    assert "4 looks have not mended it" in known.repair.words
    later = gone(known).state
    again = difference_found(later, fact, now + FORGOTTEN)
    assert LookAgain in {type(e.message) for e in again.events}


def test_a_person_may_look_again_however_often_the_reconciler_did() -> None:
    known = opened(found()).state
    for hours in (1, 5, 21, 85):
        known = difference_found(known, found(), NOW + timedelta(hours=hours)).state
    assert known.repair.needs_approval
    for _ in range(2):
        decision = approved(known)
        known = decision.state
        assert [type(e.message) for e in decision.events] == [LookAgain]


@pytest.mark.parametrize("kind", ["amount", "currency", "duplicate_capture", "late_success"])
def test_what_moves_money_waits_for_a_person_and_says_what_will_happen(kind: MismatchKind) -> None:
    decision = opened(found(kind, "o-1", OURS, THEIRS, returns=50_000))
    (detected,) = decision.events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.message.needs_approval
    assert "gives 500.00 INR of pay_1 (order o-1) back" in detected.message.repair
    assert decision.tasks == ()

    sent = approved(decision.state)
    (command,) = sent.events
    assert isinstance(command.message, RefundPayment)
    assert (command.message.charge_id, command.message.by) == ("pay_1", "asha")
    assert command.message.idempotency is not None
    assert command.message.idempotency.key == f"{decision.state.mismatch_id}/1"
    assert [n.what for n in sent.state.notes] == ["approved", "sent"]
    assert approved(sent.state).events == (), "a second click sends nothing"


@pytest.mark.parametrize("kind", ["fee", "unsettled"])
def test_what_nothing_can_mend_says_so(kind: MismatchKind) -> None:
    decision = opened(found(kind, "o-1", OURS, THEIRS))
    assert len(decision.events) == 1
    refused = approved(decision.state)
    assert refused.events == ()
    assert [a.code for a in refused.answers] == ["nothing-to-approve"]


def test_without_an_order_there_is_nothing_to_look_at() -> None:
    (detected,) = opened(found(order_id=None)).events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.message.proposed_repair == ""


def test_what_the_settlement_alone_says_otherwise_is_no_case_for_a_look() -> None:
    line = Leg(side="settlement", charge_id="pay_1", amount=49_000, currency="INR")
    (detected,) = opened(found("status", "o-1", OURS, THEIRS, line)).events
    assert isinstance(detected.message, MismatchDetected)
    assert detected.message.proposed_repair == ""


def test_an_accepted_difference_stays_accepted_until_its_evidence_changes() -> None:
    ended = accepted(opened(found()).state)
    (event,) = ended.events
    assert isinstance(event.message, MismatchResolved)
    assert (event.message.how, event.message.person) == ("accepted", "asha")

    again = difference_found(ended.state, found(), NOW)
    assert again.events == ()
    assert not again.state.open

    other = found("missing_local", "o-1", replace(THEIRS, amount=51_000))
    assert difference_found(ended.state, other, NOW).state.occurrence == 2


@pytest.mark.parametrize("leg", [THEIRS, OURS])
def test_its_settlement_days_later_is_no_other_evidence(leg: Leg) -> None:
    """A stranger's payment, accepted once, would else come back with every payout."""
    settled = Leg(side="settlement", charge_id="pay_1", amount=50_000, currency="INR", fee=1_000)
    ended = accepted(opened(found("missing_local", None, leg)).state).state
    again = difference_found(ended, found("missing_local", None, leg, settled), NOW)
    assert (again.events, again.state.how) == ((), "accepted")


def test_an_accepted_difference_that_went_away_may_come_back() -> None:
    ended = accepted(opened(found()).state).state
    quiet = gone(ended)
    assert quiet.events == (), "its end was announced when it was accepted"
    assert difference_found(quiet.state, found(), NOW).state.occurrence == 2


@pytest.mark.parametrize(("person", "reason"), [("", "why"), ("asha", ""), (" ", "why")])
def test_nothing_is_accepted_without_a_person_and_a_reason(person: str, reason: str) -> None:
    known = opened(found()).state
    decision = accepted(known, reason, person)
    assert decision.state.open
    assert [a.code for a in decision.answers] == ["invalid-field"]


def test_an_occurrence_that_is_over_is_neither_accepted_nor_repaired() -> None:
    known = opened(found("amount", "o-1", OURS, THEIRS, returns=1)).state
    assert [a.code for a in approved(known, occurrence=2).answers] == ["mismatch-not-open"]
    over = gone(known).state
    assert [a.code for a in accepted(over).answers] == ["mismatch-not-open"]
    assert approved(over).events == ()


@given(st.lists(st.sampled_from(["found", "gone", "accepted"]), max_size=20))
def test_detected_and_resolved_alternate_whatever_happens(happened: list[str]) -> None:
    mismatch, announced = Mismatch(ID), []
    for what in happened:
        if what == "found":
            decision = difference_found(mismatch, found(), NOW)
        elif what == "gone":
            decision = gone(mismatch)
        else:
            decision = accepted(mismatch)
        mismatch = decision.state
        announced += [e for e in decision.events if e.topic == "reconciler.events"]
    kinds = [type(e.message) for e in announced]
    half = [MismatchDetected, MismatchResolved] * (len(kinds) // 2)
    assert kinds == half + [MismatchDetected] * (len(kinds) % 2)
    assert [e.version for e in announced] == list(range(1, len(announced) + 1))
    assert mismatch.open == (len(kinds) % 2 == 1)


def test_severity_follows_amount_and_age() -> None:
    cases = [
        (99_99, "INR", 0, "low"), (100_00, "INR", 0, "medium"), (1_000_00, "INR", 0, "high"),
        (999, "JPY", 0, "medium"), (1_000, "JPY", 0, "high"), (99_999, "KWD", 0, "low"),
        (1, "INR", 1, "medium"), (1, "INR", 7, "high"),
    ]  # fmt: skip
    for amount, currency, days, expected in cases:
        assert severity(amount, currency, NOW - timedelta(days=days), NOW) == expected
