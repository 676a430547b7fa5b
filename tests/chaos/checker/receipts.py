"""S13: each paid order has its receipt, each refund its notice; nobody gets another's, or one twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Mail
from tests.chaos.checker.money import wishes
from tests.chaos.checker.story import PAID
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

NOTICES = ("credit_note", "surplus_refund")  # of money that went back: with a document, or without


def receipts_match_payments(evidence: Evidence) -> Iterator[Violation]:
    """S13. Every paid order has one receipt number and one Message-ID, at its own address; no other has."""
    wanted = wishes(evidence)
    paid = {r.key for r in evidence.records("payments.events") if r.type == PAID}
    inboxes: dict[str, list[Mail]] = defaultdict(list)
    for mail in evidence.mails:
        for recipient in mail.recipients:
            inboxes[recipient].append(mail)
    repeated = 0
    for order_id, (_, _, email) in wanted.items():
        mails, notices = _apart(evidence, inboxes.pop(email, []))
        repeated += sum(times - 1 for times in Counter(notices).values())
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
    yield from _notices(evidence, {mail.message_id for mail in evidence.mails})
    given = [receipt.number for receipt in evidence.books.receipts]
    given += [notice.number for notice in evidence.books.notices if notice.number]
    numbers = Counter(given)
    for number, times in numbers.items():
        if times > 1:
            yield doubled(f"number {number} was given {times} times")
    yield from _gaps(given)


def _apart(evidence: Evidence, mails: list[Mail]) -> tuple[list[Mail], list[str]]:
    """(mails that bring a receipt, Message-IDs of those that tell of money that went back)."""
    told = {notice.message_id for notice in evidence.books.notices}
    return [m for m in mails if m.message_id not in told], [
        m.message_id for m in mails if m.message_id in told
    ]


def _notices(evidence: Evidence, arrived: set[str]) -> Iterator[Violation]:
    """Each refund that went through is told of once, and that mail arrived."""
    kept = Counter(n.subject for n in evidence.books.notices if n.kind in NOTICES)
    for refund in evidence.books.refunds:
        if refund.state == "succeeded" and not kept[refund.id]:
            yield lost(f"nobody was told of {refund.id} of {refund.order_id}")
        if kept[refund.id] > 1:
            yield doubled(f"{refund.id} of {refund.order_id} has {kept[refund.id]} notices")
    for notice in evidence.books.notices:
        if notice.message_id not in arrived:
            yield lost(f"the mail about {notice.subject} of {notice.order_id} is {notice.mail_state}")


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
