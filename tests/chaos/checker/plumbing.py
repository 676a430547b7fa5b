"""S16, S23, S24: no record was skipped, nothing is left to do, and the provider was called with care."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.checker.evidence import Books, Evidence
from tests.chaos.checker.ledger import Call
from tests.chaos.checker.read_calls import REPEATABLE
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

# Which types each group must take; of its topic's other types it may skip (docs/messages.md).
MUST_TAKE = {
    "payments.payments.commands": ("payments.",),
    "payments.payments.webhooks": ("payments.provider_event_received.",),
    "payments.orders.events": ("orders.order_placed.", "orders.order_cancelled."),
    "notifier.orders.events": ("orders.order_placed.",),
    "notifier.payments.events": ("payments.payment_paid.",),
    "gateway.payments.events": ("payments.payment_",),
    "reconciler.payments.events": ("payments.payment_", "payments.ledger_checkpoint."),
    "reconciler.reconciler.commands": ("reconciler.",),
}


def no_offset_is_skipped(evidence: Evidence) -> Iterator[Violation]:
    """S16. Below its committed offset a group has taken or parked every record that is its business."""
    committed = {(p.group, p.topic, p.partition): p.committed for p in evidence.positions}
    taken = {(row.consumer, row.message_id) for row in evidence.books.inbox}
    parked = {(row.consumer, row.place) for row in evidence.books.inbox if row.place}
    groups = sorted({p.group for p in evidence.positions})
    for group in groups:
        topic = group.partition(".")[2]
        for record in evidence.records(topic):
            if record.offset >= committed.get((group, topic, record.partition), 0):
                continue
            if record.message and not record.type.startswith(MUST_TAKE[group]):
                continue
            if (group, record.id) not in taken and (group, record.place) not in parked:
                yield lost(f"{group} passed over {record.place} ({record.type})")


def all_is_quiet(evidence: Evidence) -> Iterator[Violation]:
    """S23. Nothing waits: no row to publish, no record to read, no task due, no message parked."""
    books = evidence.books
    for row in books.outbox:
        if row.pending:
            yield lost(f"{row.service} has not published {row.message_id}")
    for position in evidence.positions:
        if position.committed < position.end:
            waiting = position.end - position.committed
            yield lost(f"{position.group} leaves {waiting} records in partition {position.partition}")
    for intent in books.intents:
        if intent.due:
            yield lost(f"{intent.service} has not done {intent.key}")
    yield from _nobody_waits(books)


def _nobody_waits(books: Books) -> Iterator[Violation]:
    for message in books.inbox:
        if message.outcome == "parked":
            yield lost(f"{message.consumer} parked {message.message_id}: {message.error[:200]}")
    if books.unanswered_keys:
        yield lost(f"{books.unanswered_keys} idempotency keys have no answer")
    if books.hanging_transactions:
        yield wrong(f"{books.hanging_transactions} transactions hang")


def provider_is_called_with_care(evidence: Evidence) -> Iterator[Violation]:
    """S24. One object and one key per intent; a write again only after a look; never without a row."""
    writes: dict[str, list[Call]] = defaultdict(list)  # by the key of the task that may do it
    looks: dict[str, list[Call]] = defaultdict(list)
    for call in evidence.ledger.calls:
        if call.method == "GET":
            for about in call.about:
                looks[about].append(call)
        elif call.operation:
            writes[call.operation].append(call)
        else:
            yield wrong(f"{call.method} {call.path} was called; nothing here may")
    intents = _first_rows(evidence)
    refunds = {f"refund:{r.id}": r for r in evidence.books.refunds}
    for key, calls in writes.items():
        names = calls[0].about
        if refund := refunds.get(key):
            names = (f"refunds of {refund.charge_id}", f"refunds of {refund.provider_order_id}")
        yield from _writes(key, calls, [look for name in names for look in looks[name]], intents)
    held = {a.provider_order_id for a in evidence.books.attempts}
    for order in evidence.ledger.orders:
        if order.id not in held:
            yield lost(f"the provider has {order.id} of {order.our_order}; no attempt holds it")


def _first_rows(evidence: Evidence) -> dict[str, float]:
    """Key → when the first row of that intent was written."""
    found: dict[str, float] = {}
    for intent in evidence.books.intents:
        if intent.service == "payments":
            found[intent.key] = min(intent.created_at, found.get(intent.key, intent.created_at))
    return found


def _writes(key: str, calls: list[Call], looks: list[Call], intents: dict[str, float]) -> Iterator[Violation]:
    """The calls of one logical operation, in their order."""
    made = {call.result for call in calls if call.acted and call.result is not None}
    if len(made) > 1:
        yield doubled(f"{key} was done {len(made)} times: {sorted(str(m) for m in made)}")
    if len({call.body_sha256 for call in calls}) > 1:
        yield wrong(f"{key} was asked for with {len({c.body_sha256 for c in calls})} bodies")
    if intents.get(key, float("inf")) > calls[0].at:
        yield wrong(f"{key} was called before its row was written")
    if calls[0].about == (REPEATABLE,):
        return
    for earlier, later in pairwise(calls):
        if not any(look.answered and earlier.at <= look.at <= later.at for look in looks):
            yield wrong(f"{key} was called again without a look")
