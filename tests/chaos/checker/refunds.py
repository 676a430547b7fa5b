"""S5: money that goes back does so once, in the amount that was decided, and never more than was taken."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Refund
from tests.chaos.checker.ledger import GivenBack
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

REQUESTED = "payments.refund_requested.v1"
SUCCEEDED = "payments.refund_succeeded.v1"
FAILED = "payments.refund_failed.v1"


def refunds_are_bounded_and_equal(evidence: Evidence) -> Iterator[Violation]:
    """S5. Per capture no more goes back than was taken; each refund of ours is one of the provider's."""
    taken = {capture.charge_id: capture.amount for capture in evidence.ledger.captures}
    for charge_id, back in evidence.ledger.refunded.items():
        if back > taken.get(charge_id, 0):
            yield doubled(f"{back} of {charge_id} went back, {taken.get(charge_id, 0)} were taken")
    theirs: dict[str, list[GivenBack]] = defaultdict(list)
    for made in evidence.ledger.given_back:
        theirs[made.reference or made.id].append(made)
    for refund in evidence.books.refunds:
        asked_there = refund.origin == "provider"
        yield from _equal(
            refund, theirs.pop(str(refund.provider_refund_id) if asked_there else refund.id, [])
        )
    for made in (made for rows in theirs.values() for made in rows):
        yield lost(f"{made.id} over {made.amount} of {made.charge_id} is at the provider and not with us")
    yield from _told_once(evidence)


def _equal(refund: Refund, made: list[GivenBack]) -> Iterator[Violation]:
    """One refund of ours against what the provider has under its id."""
    stands = [row for row in made if row.state != "failed"]
    if len(stands) > 1:
        yield doubled(f"{refund.id} was done {len(stands)} times: {[row.id for row in stands]}")
    if refund.state in ("requested", "pending") and all(row.state != "pending" for row in made):
        yield lost(f"{refund.id} of {refund.order_id} is still {refund.state}")
    if refund.state == "succeeded" and not stands:
        yield wrong(f"{refund.id} of {refund.order_id} succeeded, and the provider gave nothing back")
    if refund.state == "failed" and stands:
        yield lost(f"{refund.id} of {refund.order_id} failed, and the provider did {stands[0].id}")
    for row in made:
        if (row.charge_id, row.amount, row.currency) != (refund.charge_id, refund.amount, refund.currency):
            yield wrong(f"{refund.id} is {row.amount} {row.currency} of {row.charge_id} there: {refund}")
        if refund.provider_refund_id not in (None, row.id) and len(made) == 1:
            yield wrong(f"{refund.id} is {row.id} there, {refund.provider_refund_id} with us")


def _told_once(evidence: Evidence) -> Iterator[Violation]:
    """Each refund is announced once, and its end once."""
    told: Counter[tuple[str, str]] = Counter()
    for record in {record.id: record for record in evidence.records("payments.events")}.values():
        if record.type in (REQUESTED, SUCCEEDED, FAILED):
            told[record.type, str(record.message["data"]["refund"]["refund_id"])] += 1
    for (kind, refund_id), times in told.items():
        if times > 1:
            yield doubled(f"{kind} of {refund_id} was said {times} times")
    known = {refund.id for refund in evidence.books.refunds}
    for kind, refund_id in told:
        if refund_id not in known:
            yield wrong(f"{kind} was said of {refund_id}, which is no refund of a capture")
    for refund in evidence.books.refunds:
        end = {"succeeded": SUCCEEDED, "failed": FAILED}.get(refund.state)
        for kind in (REQUESTED, *([end] if end else [])):
            if not told[kind, refund.id]:
                yield lost(f"{kind} of {refund.id} was never said")
