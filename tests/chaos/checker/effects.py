"""S9, S12, S13: each message, webhook and paid order has its effect, and has it once."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Mail, Record
from tests.chaos.checker.money import wishes
from tests.chaos.checker.story import PAID, WRITTEN_BY
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
    return str(data.get("charge_id", "")) + str(data.get("subject", "")) + str(data.get("reason", ""))


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


def receipts_match_payments(evidence: Evidence) -> Iterator[Violation]:
    """S13. Every paid order has one receipt number and one Message-ID, at its own address; no other has."""
    wanted = wishes(evidence)
    paid = {r.key for r in evidence.records("payments.events") if r.type == PAID}
    inboxes: dict[str, list[Mail]] = defaultdict(list)
    for mail in evidence.mails:
        for recipient in mail.recipients if mail.brings_receipt else ():
            inboxes[recipient].append(mail)
    repeated = 0
    for order_id, (_, _, email) in wanted.items():
        mails = inboxes.pop(email, [])
        if order_id not in paid:
            if mails:
                yield wrong(f"{order_id} is not paid and got {len(mails)} mails")
            continue
        repeated += max(0, len(mails) - 1)
        yield from _receipt_of(evidence, order_id, mails)
    if repeated > evidence.mails_repeated_max:
        yield doubled(f"{repeated} mails were sent twice, at most {evidence.mails_repeated_max} may be")
    for recipient, mails in inboxes.items():
        yield wrong(f"{recipient} ordered nothing and got {len(mails)} mails")
    numbers = Counter(receipt.number for receipt in evidence.books.receipts)
    for number, times in numbers.items():
        if times > 1:
            yield doubled(f"number {number} was given {times} times")
    yield from _gaps([receipt.number for receipt in evidence.books.receipts])


def _receipt_of(evidence: Evidence, order_id: str, mails: list[Mail]) -> Iterator[Violation]:
    receipts = [r for r in evidence.books.receipts if r.order_id == order_id]
    if not mails:
        yield lost(f"{order_id} is paid and got no mail")
    if not receipts:
        yield lost(f"{order_id} is paid and has no document")
    if len({mail.message_id for mail in mails}) > 1:
        yield doubled(f"{order_id} got mails with {len({m.message_id for m in mails})} Message-IDs")
    for receipt in receipts:
        if any(receipt.number not in mail.subject + mail.text for mail in mails):
            yield wrong(f"{order_id} got a mail without its number {receipt.number}")
        if receipt.mail_state != "sent":
            yield wrong(f"the mail of {order_id} is {receipt.mail_state}")


def _gaps(numbers: list[str]) -> Iterator[Violation]:
    """Numbers of one series follow each other without a gap."""
    series: dict[str, set[int]] = defaultdict(set)
    for number in numbers:
        name, _, count = number.rpartition("-")
        series[name].add(int(count))
    for name, counts in series.items():
        if missing := sorted(set(range(1, max(counts) + 1)) - counts):
            yield lost(f"series {name} lacks the numbers {missing}")
