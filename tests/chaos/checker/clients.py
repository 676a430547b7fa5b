"""S10, S11: what a client was told is true for ever, and asking again changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Operation, Payment
from tests.chaos.checker.money import PAID
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

CREATED = "payments.payment_created.v1"


def acknowledged_is_durable(evidence: Evidence) -> Iterator[Violation]:
    """S10. Each `ok` is in database and topic, each `fail` left nothing; an unknown end is never two."""
    payments = {p.order_id: p for p in evidence.books.payments}
    attempts = {(a.order_id, a.provider_order_id) for a in evidence.books.attempts}
    refunds = {refund.id for refund in evidence.books.refunds}
    placed = [o for o in evidence.history if o.call == "place"]
    may_be_held = {o.order_id for o in placed if o.outcome != "fail"}
    for operation in evidence.history:
        if operation.outcome == "ok":
            yield from _kept(operation, payments.get(operation.order_id), attempts, refunds)
    for operation in placed:
        if operation.outcome == "fail" and operation.order_id in payments.keys() - may_be_held:
            yield wrong(f"{operation.order_id} was refused ({operation.status}) and is held")
    for order_id in payments.keys() - {o.order_id for o in placed}:
        yield wrong(f"{order_id} is held and nobody placed it")
    yield from _announced(evidence, {o.order_id for o in placed if o.outcome == "ok"})


def _kept(
    operation: Operation, payment: Payment | None, attempts: set[tuple[str, str | None]], refunds: set[str]
) -> Iterator[Violation]:
    """What an `ok` said must be in the database."""
    order_id, told = operation.order_id, operation.answer
    if payment is None:
        yield lost(f"{operation.call} of {order_id} was answered {operation.status}; no row holds it")
    elif operation.call == "create" and (order_id, told["providerOrderId"]) not in attempts:
        yield lost(f"the attempt {told['providerOrderId']} of {order_id} was given out and is not held")
    elif operation.call == "refund" and told["refundId"] not in refunds:
        yield lost(f"{told['refundId']} of {order_id} was promised and is not held")
    elif operation.call == "cancel" and payment.closed is None and payment.status not in PAID:
        yield lost(f"{order_id} was cancelled and is {payment.status}")
    elif operation.call in ("verify", "status") and told["status"] in PAID and payment.status not in PAID:
        yield lost(f"{order_id} was told to be {told['status']} and is {payment.status}")


def _announced(evidence: Evidence, accepted: set[str]) -> Iterator[Violation]:
    announced: dict[str, set[str]] = defaultdict(set)
    for record in evidence.records("payments.events"):
        if record.type == CREATED:
            announced[record.key].add(record.id)
    for order_id, ids in announced.items():
        if len(ids) > 1:
            yield doubled(f"{order_id} was held {len(ids)} times")
    for order_id in accepted - announced.keys():
        yield lost(f"{order_id} was accepted and never announced")


def repeating_changes_nothing(evidence: Evidence) -> Iterator[Violation]:
    """S11. Equal requests get equal final answers; other content under a known id is never taken."""
    answers: dict[tuple[str, str], set[str]] = defaultdict(set)
    contents: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for operation in evidence.history:
        if operation.call == "create" and operation.outcome == "ok":
            attempt = str(operation.answer["providerOrderId"])
            answers[operation.order_id, attempt].add(repr(sorted(operation.answer.items())))
        if operation.call == "place" and operation.outcome == "ok":
            contents[operation.order_id].add((operation.asked["amount"], operation.asked["currency"]))
        if operation.call in ("capture", "refund") and operation.outcome == "ok":
            key = str(operation.asked["key"])
            answers[operation.order_id, key].add(repr(sorted(operation.answer.items())))
    for (order_id, attempt), different in answers.items():
        if len(different) > 1:
            yield wrong(f"{order_id} was answered {len(different)} ways about {attempt}")
    for order_id, accepted in contents.items():
        if len(accepted) > 1:
            yield wrong(f"{order_id} was taken with {len(accepted)} contents: {sorted(accepted)}")
    yield from _one_attempt_each(evidence)


def _one_attempt_each(evidence: Evidence) -> Iterator[Violation]:
    """Nobody was given more provider orders than attempts are held."""
    created = [o for o in evidence.history if o.call == "create" and o.outcome == "ok"]
    given = {(o.order_id, str(o.answer["providerOrderId"])) for o in created}
    held = Counter(attempt.order_id for attempt in evidence.books.attempts)
    for order_id, count in Counter(order_id for order_id, _ in given).items():
        if count > held[order_id]:
            yield doubled(f"{order_id} was given {count} provider orders, {held[order_id]} are held")
