"""S6–S8: what was said is what happened, once, in order, and all of it reached the topics."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.chaos.checker.evidence import Evidence, Record
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

# Who writes what through an outbox (docs/messages.md); `orders.events` is shared with shops.
WRITTEN_BY = {
    "payments.events": "payments",
    "orders.events": "payments",
    "notifier.events": "notifier",
    "reconciler.events": "reconciler",
}
CHECKPOINT = "payments.ledger_checkpoint.v1"  # sent beside the outbox, to every partition
PAID = "payments.payment_paid.v1"

# The published states (docs/states.md), typed here again: from → to.
MOVES = {
    "created": {"pending_payment", "processing", "paid", "failed"},
    "pending_payment": {"processing", "paid", "failed"},
    "processing": {"created", "pending_payment", "paid", "failed"},
    "failed": {"pending_payment", "processing", "paid"},
    "paid": {"partially_refunded", "refunded"},
    "partially_refunded": {"refunded", "paid"},
    "refunded": {"partially_refunded", "paid"},
}


def events_of_payments(evidence: Evidence) -> dict[str, list[Record]]:
    """The events of each order, each id once, in the order of their versions."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in evidence.records("payments.events"):
        if record.snapshot:
            found[str(record.snapshot["order_id"])].setdefault(record.id, record)
    return {
        order_id: sorted(records.values(), key=lambda r: int(r.message["version"]))
        for order_id, records in found.items()
    }


def states_move_as_published(evidence: Evidence) -> Iterator[Violation]:
    """S6. Versions 1, 2, 3 … once each; only published moves; each row is what its version said."""
    rows = {p.order_id: p for p in evidence.books.payments}
    told = events_of_payments(evidence)
    for order_id in rows.keys() - told.keys():
        yield lost(f"nothing was ever said about {order_id}")
    for order_id, records in told.items():
        yield from _one_story(order_id, records)
        row = rows.get(order_id)
        if row is None:
            yield wrong(f"{order_id} is told of and not held")
            continue
        said = next((r.snapshot for r in records if r.message["version"] == row.version), None)
        if said is None:
            yield lost(f"{order_id}: its version {row.version} was never said")
        elif (row.status, row.detail) != (said["status"], said["detail"]):
            yield wrong(f"{order_id} is {row.status} {row.detail}; {row.version} said {said['status']}")


def _one_story(order_id: str, records: list[Record]) -> Iterator[Violation]:
    versions = [int(r.message["version"]) for r in records]
    if missing := sorted(set(range(1, versions[-1] + 1)) - set(versions)):
        yield lost(f"{order_id}: versions {missing} were never said")
    if len(versions) != len(set(versions)):
        yield doubled(f"{order_id}: versions {versions}")
    status = "created"
    for record in records:
        following = str(record.snapshot["status"])
        if following != status and following not in MOVES[status]:
            yield wrong(f"{order_id}: {status} → {following} at version {record.message['version']}")
        status = following
    times_paid = sum(r.type == PAID for r in records)
    if times_paid > 1:
        yield doubled(f"{order_id} was announced as paid {times_paid} times")
    if times_paid == 0 and status in ("paid", "partially_refunded", "refunded"):
        yield lost(f"{order_id} is {status} and was never announced as paid")


def outbox_is_the_topic(evidence: Evidence) -> Iterator[Violation]:
    """S7. Each archived message is in its topic, with its bytes; the topic has no other."""
    heard: dict[tuple[str, str], bytes] = {}
    for record in evidence.topics:
        if record.topic in WRITTEN_BY and record.type != CHECKPOINT:
            heard.setdefault((record.topic, record.id), record.value)
    archived: set[tuple[str, str]] = set()
    for row in evidence.books.outbox:
        place = (row.topic, row.message_id)
        if place in archived:
            yield doubled(f"{row.service}'s outbox holds {row.message_id} twice")
        archived.add(place)
        if place not in heard:
            yield lost(f"{row.message_id} of {row.key} was never published to {row.topic}")
        elif _hash(heard[place]) != _hash(row.payload):
            yield wrong(f"{row.message_id} has other bytes in {row.topic}")
    archived |= evidence.archived
    for record in evidence.topics:
        ours = WRITTEN_BY.get(record.topic) == record.message.get("source") and record.type != CHECKPOINT
        if ours and (record.topic, record.id) not in archived:
            yield wrong(f"{record.place} ({record.id}) is a ghost: no decision wrote it")


def _hash(payload: bytes) -> Any:
    return hashlib.sha256(payload).digest()


def keys_stay_in_order(evidence: Evidence) -> Iterator[Violation]:
    """S8. A key lives in one partition, and its versions first appear in their order."""
    partitions: dict[tuple[str, str], set[int]] = defaultdict(set)
    for record in evidence.topics:
        if record.topic in WRITTEN_BY and record.type != CHECKPOINT:
            partitions[record.topic, record.key].add(record.partition)
    for (topic, key), places in partitions.items():
        if len(places) > 1:
            yield wrong(f"{key} is in partitions {sorted(places)} of {topic}")
    for order_id, records in events_of_payments(evidence).items():
        for earlier, later in pairwise(records):
            if later.offset < earlier.offset:
                version = later.message["version"]
                yield wrong(f"{order_id}: version {version} stands before {earlier.message['version']}")
