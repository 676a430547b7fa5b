"""A payment's story as tables that a person can read."""

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from services.payments.operate.money import shown
from services.payments.operate.story import Story, moments
from shared.desk import printable


def tell(story: Story, console: Console) -> None:
    """Prints how it stands, what hangs under it, what waits, and the story in order of time."""
    _standing(story, console)
    for table in (_attempts(story), _charges(story), _refunds(story), _disputes(story)):
        _print(table, console)
    for table in (_flags(story), _tasks(story)):
        _print(table, console)
    _print(_story(story), console)


def _standing(story: Story, console: Console) -> None:
    payment, amounts = story.payment, story.amounts
    total = shown(payment.amount, payment.currency)
    detail = f" ({payment.detail})" if payment.detail else ""
    standing = f"{payment.order_id}  {total}  {payment.status}{detail}  v{payment.version}"
    console.print(standing, style="bold")
    known = {
        "authorised": amounts.authorized, "captured": amounts.captured, "refunded": amounts.refunded,
        "refunds pending": amounts.refund_pending, "disputed": amounts.disputed, "lost": amounts.lost,
    }  # fmt: skip
    money = [f"{name} {shown(amount, payment.currency)}" for name, amount in known.items() if amount]
    console.print(", ".join([*money, f"net {shown(amounts.net, payment.currency)}"]))
    facts = [
        f"payment {payment.id}",
        f"capture {payment.capture}",
        f"placed {_at(payment.created_at)}",
        f"paid {_at(payment.paid_at)}" if payment.paid_at else "not paid",
        f"{payment.closed} {_at(payment.closed_at)}"
        if payment.closed
        else f"closes {_at(payment.closes_at)}",
    ]
    console.print(", ".join(facts))


def _attempts(story: Story) -> Table:
    rows = [
        (str(a.number), a.provider, a.state, a.provider_order_id or "–", shown(a.amount, a.currency),
         _at(a.created_at), a.why, a.refusal)
        for a in story.payment.attempts
    ]  # fmt: skip
    columns = ("", "provider", "state", "provider's order", "amount", "opened", "why this one", "refusal")
    return _table("attempts", columns, rows)


def _charges(story: Story) -> Table:
    rows = [
        (c.charge_id, c.provider, c.state + (" · stands" if c.stands else ""), shown(c.amount, c.currency),
         _at(c.at), " ".join(filter(None, (c.failure, c.failure_text))) or c.by)
        for c in story.payment.charges
    ]  # fmt: skip
    return _table("charges", ("charge", "provider", "state", "amount", "at", "said"), rows)


def _refunds(story: Story) -> Table:
    moved = story.payment.refunds_of_captures
    rows = [
        (r.id, r.state + (" · unknown" if r.unknown else "") + ("" if r in moved else " · of no capture"),
         shown(r.amount, r.currency), r.origin, r.provider_refund_id or "–", _at(r.created_at),
         " ".join(filter(None, (r.by, r.reason, r.failure))))
        for r in story.payment.refunds
    ]  # fmt: skip
    columns = ("refund", "state", "amount", "asked by", "provider's id", "at", "why")
    return _table("refunds", columns, rows)


def _disputes(story: Story) -> Table:
    rows = [
        (d.dispute_id, d.kind, d.state, d.money, shown(d.amount, d.currency), _at(d.respond_by), d.reason)
        for d in story.payment.disputes
    ]
    columns = ("dispute", "kind", "state", "money", "amount", "answer before", "reason")
    return _table("disputes", columns, rows)


def _flags(story: Story) -> Table:
    rows = [
        (f.reason, f.subject, f.note, _at(f.raised_at)) for f in story.payment.flags if f.resolved_at is None
    ]
    return _table("waits for a person", ("flag", "subject", "note", "since"), rows)


def _tasks(story: Story) -> Table:
    rows = [
        (t.kind, t.key, "running" if t.running else f"due {_at(t.due_at)}", str(t.claims), _at(t.created_at))
        for t in story.tasks
        if t.closed_at is None
    ]
    return _table("open tasks", ("task", "key", "when", "tries", "since"), rows)


def _story(story: Story) -> Table:
    rows = [(_at(m.at, exact=True), m.who, m.what, m.detail, m.ref) for m in moments(story)]
    return _table("story", ("at (UTC)", "who", "what", "", "id"), rows)


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(printable, row))
    return table


def _print(table: Table, console: Console) -> None:
    if table.row_count:
        console.print()
        console.print(table)


def _at(at: datetime | None, *, exact: bool = False) -> str:
    if at is None:
        return "–"
    shape = "%Y-%m-%d %H:%M:%S.%f" if exact else "%Y-%m-%d %H:%M:%S"
    text = at.astimezone(UTC).strftime(shape)
    return text[:-3] if exact else text
