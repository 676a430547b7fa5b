"""The checker: counts what both services did against what they were told, over every source there is."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.checker.evidence import Record
from tests.chaos.checker.read_topics import read_topics
from tests.integration.subscribers.system import AMOUNT, Both

TOPICS = ("notifier.events", "reconciler.events", "payments.commands")
DETECTED, RESOLVED = "reconciler.mismatch_detected.v1", "reconciler.mismatch_resolved.v1"
COMPLETED, LOOK = "reconciler.reconciliation_completed.v1", "payments.look_again.v1"
ISSUED, SENT = "notifier.receipt_issued.v1", "notifier.receipt_sent.v1"


async def audit(both: Both) -> list[str]:
    """Everything that does not add up, by the ids of docs/invariants.md. Empty is good."""
    records = await read_topics(both.engines.kafka.bootstrap, TOPICS)
    once = {record.id: record for record in records}
    documents = await both.notifier.rows("SELECT order_id, kind, number FROM documents ORDER BY number")
    archived = {
        str(row["message_id"]): (row["topic"], bytes(row["payload"]))
        for service in ("notifier", "reconciler")
        for row in await both.reconciler.rows(f"SELECT topic, message_id, payload FROM {service}.outbox")
    }
    parked = await _parked(both)
    print(
        f"{len(documents)} documents, {len(both.sink.taken)} mails, {len(once)} messages "
        f"(+{len(records) - len(once)} again), {sum(parked.values())} parked"
    )
    return [
        *_receipts(both, documents),
        *_told(both, list(once.values())),
        *_archive(archived, once),
        *_same("S17: parked", parked, both.expected.parked),
        *[f"S16: {p}" for p in await both.positions() if p.committed < p.end],
    ]


def _receipts(both: Both, documents: list[Any]) -> Iterator[str]:
    """S13. One document and number for each paid order, without a gap; its mail once, to its own address."""
    expected = both.expected
    made = Counter((row["order_id"], row["kind"]) for row in documents)
    yield from _same("S13: documents", made, Counter((o, "receipt") for o in expected.receipts))
    numbers = [row["number"] for row in documents]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"S13: numbers {numbers}"
    wanted = {f"{order}@buyer.test": 1 + expected.resent[order] for order in expected.receipts}
    arrived = Counter(mail.recipient for mail in both.sink.taken)
    yield from _same("S13: mails", arrived, Counter(wanted))
    ids = {mail.message_id for mail in both.sink.taken}
    if len(ids) != arrived.total():
        yield f"S13: {arrived.total()} mails with {len(ids)} Message-IDs"
    subjects: dict[str, set[str]] = defaultdict(set)
    for mail in both.sink.taken:
        subjects[mail.recipient].add(mail.subject)
    yield from (f"S13: {who} got {what}" for who, what in subjects.items() if len(what) > 1)


def _told(both: Both, events: list[Record]) -> Iterator[str]:
    """S15, S9. Each mismatch opens once and ends once, each run ends once, each order is looked at once."""
    expected = both.expected
    data = defaultdict(list)
    for event in events:
        data[event.type].append(event.message["data"])
    opened = Counter((d["mismatch_id"], d["occurrence"]) for d in data[DETECTED])
    yield from _same("S15: opened", opened, Counter((id_, 1) for id_ in expected.opened))
    ended = Counter((d["mismatch_id"], d["occurrence"], d["how"]) for d in data[RESOLVED])
    yield from _same("S15: ended", ended, Counter((id_, 1, how) for id_, how in expected.ended.items()))
    runs = Counter(d["run_id"] for d in data[COMPLETED] if d["day"] == both.day.isoformat())
    if (len(runs), runs.total()) != (expected.runs, expected.runs):
        yield f"S15: {runs.total()} ends of {len(runs)} runs, not {expected.runs}"
    last = max((d for d in data[COMPLETED] if d["run_id"] in runs), key=lambda d: str(d["completed_at"]))
    yield from _explained(both, last["figures"])
    yield from _same("S9: looks", Counter(d["order_id"] for d in data[LOOK]), Counter(expected.looks))
    issued = Counter(d["order_id"] for d in data[ISSUED])
    yield from _same("S9: issued", issued, Counter(expected.receipts))
    sent = Counter(d["order_id"] for d in data[SENT])
    yield from _same("S9: sent", sent, Counter(expected.receipts) + expected.resent)


def _explained(both: Both, figures: list[dict[str, Any]]) -> Iterator[str]:
    """S26. The last run accounts for each minor unit that we captured, and names what it cannot explain."""
    expected = both.expected
    (row,) = figures  # of one day and currency
    said = Counter({k: row[k] for k in ("captured", "remaining", "waiting", "unexplained") if k in row})
    said.update(row["by_kind"])
    captured, phantoms = len(expected.charges), len(expected.looks)
    strangers = len(expected.opened) - phantoms - len(expected.ended)
    wanted = {
        "captured": captured,
        "remaining": captured,  # the provider has paid out nothing yet
        "waiting": captured - phantoms,
        "unexplained": strangers + phantoms,
        "missing_local": strangers,
        "missing_provider": phantoms,
    }
    yield from _same("S26", said, Counter({what: AMOUNT * number for what, number in wanted.items()}))


def _archive(archived: dict[str, tuple[str, bytes]], once: dict[str, Record]) -> Iterator[str]:
    """S7. What was decided is what is in Kafka, byte for byte."""
    heard = {id_: (record.topic, record.value) for id_, record in once.items()}
    if archived != heard:
        lost, ghosts = archived.keys() - heard.keys(), heard.keys() - archived.keys()
        yield f"S7: {len(lost)} never published, {len(ghosts)} that nobody decided, or other bytes"


async def _parked(both: Both) -> Counter[tuple[str, bytes]]:
    """Whole, each with its place and a reason."""
    found: Counter[tuple[str, bytes]] = Counter()
    for service in ("notifier", "reconciler"):
        rows = await both.reconciler.rows(
            "SELECT consumer, body, error, topic, partition, record_offset, record_key"
            f" FROM {service}.inbox WHERE outcome = 'parked'"
        )
        for row in rows:
            assert None not in (row["topic"], row["partition"], row["record_offset"], row["record_key"])
            assert row["error"]
            found[row["consumer"], bytes(row["body"])] += 1
    return found


def _same(what: str, have: Counter[Any], wanted: Counter[Any]) -> Iterator[str]:
    if missing := wanted - have:
        yield f"{what}: missing {missing.most_common(3)} of {missing.total()}"
    if more := have - wanted:
        yield f"{what}: too many {more.most_common(3)} of {more.total()}"
