"""S9, S12: each message and each webhook has its effect, and has it once."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Record
from tests.chaos.checker.story import WRITTEN_BY
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong


def effects_happen_once(evidence: Evidence) -> Iterator[Violation]:
    """S9. One inbox row per consumer and message; what a message caused was caused once."""
    for (consumer, message_id), times in Counter(
        (row.consumer, row.message_id) for row in evidence.books.inbox
    ).items():
        if times > 1:
            yield doubled(f"{consumer} took {message_id} {times} times")
    caused: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for record in evidence.topics:
        cause = record.message.get("causationid")
        if record.topic in WRITTEN_BY and cause:
            caused[cause, record.type, record.key, _subject(record)].add(record.id)
    for (cause, kind, key, _), ids in caused.items():
        if len(ids) > 1:
            yield doubled(f"{cause} caused {kind} of {key} {len(ids)} times")
    documents = Counter(receipt.order_id for receipt in evidence.books.receipts)
    for order_id, times in documents.items():
        if times > 1:
            yield doubled(f"{order_id} has {times} documents")


def _subject(record: Record) -> str:
    """What the event is about inside its order: one message may flag or fail several charges."""
    data = record.message.get("data", {})
    refund = str(data.get("refund", {}).get("refund_id", ""))
    return refund + "".join(str(data.get(name, "")) for name in ("charge_id", "subject", "reason"))


def webhooks_are_accounted_for(evidence: Evidence) -> Iterator[Violation]:
    """S12. What we answered 2xx is kept exactly once, byte for byte; what we refused is not kept."""
    kept = Counter(evidence.books.raw_webhooks)
    sent = {webhook.body.encode() for webhook in evidence.ledger.webhooks}
    for webhook in evidence.ledger.webhooks:
        rows = kept[webhook.body.encode()]
        taken = any(answer is not None and 200 <= answer < 300 for answer in webhook.answers)
        refused = 400 in webhook.answers
        if taken and rows == 0:
            yield lost(f"{webhook.event} {webhook.id} was answered 2xx and is not kept")
        if rows > 1:
            yield doubled(f"{webhook.event} {webhook.id} is kept {rows} times")
        if refused and not taken and rows:
            yield wrong(f"{webhook.event} {webhook.id} was refused and is kept")
    for body in kept.keys() - sent:
        yield wrong(f"a webhook is kept that the provider never sent: {body[:80]!r}")
    for intent in evidence.books.intents:
        if intent.kind == "match" and intent.open:
            yield lost(f"{intent.key} is still not matched to an order")
