"""`paystream payment`: the story of one payment, and what a person may do with it."""

import getpass
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
import typer

from services.payments.domain.state import Payment
from services.payments.operate.carry_out import Decided, Person, carry_out, new_nonce
from services.payments.operate.desk import kit, store
from services.payments.operate.money import minor_units, shown
from services.payments.operate.story import Story, read
from services.payments.operate.telling import tell
from shared.desk import at_desk, terminal
from shared.errors import NotFound
from shared.messages.base import Command
from shared.messages.payments import CapturePayment, LookAgain, MarkPayment, RefundPayment, ResolveFlag
from shared.service import Kit

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

T = TypeVar("T")

OrderId = Annotated[str, typer.Argument(metavar="ORDER_ID")]
Name = Annotated[str, typer.Option(help="who does it; else the login name", default_factory=getpass.getuser)]
Reason = Annotated[str, typer.Option(help="why; stays on record")]
Nonce = Annotated[
    str, typer.Option(help="one given before: asking again acts once", default_factory=new_nonce)
]
Amount = Annotated[str | None, typer.Option(help="like 12.50, in the order's currency; else all of it")]


@commands.command()
def show(
    order_id: OrderId,
    as_json: Annotated[bool, typer.Option("--json", help="everything, for programs")] = False,
) -> None:
    """Tell the story of one payment, from the raw bytes that came to the events that went out."""

    async def told(kit: Kit) -> Story:
        async with kit.engine.connect() as connection:
            story = await read(connection, store(kit), order_id)
        return _found(story, order_id)

    story = at_desk(kit, told)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(story), indent=2))
    else:
        tell(story, terminal())


@commands.command()
def look(order_id: OrderId, person: Name, nonce: Nonce, reason: Reason = "asked by a person") -> None:
    """Read the provider's own records of this order now; the rules do the rest."""
    by = Person(person, reason, nonce)
    command = LookAgain(order_id=order_id, reason=f"{person}: {reason}"[:300])
    decided = _carried_out(order_id, by, lambda _: command)
    _say(
        decided, by, f"every attempt of {order_id} is being read; it is {decided.value('status')} until then"
    )


@commands.command()
def capture(order_id: OrderId, reason: Reason, person: Name, nonce: Nonce, amount: Amount = None) -> None:
    """Take authorised money: all of it, or a part where the provider can; the rest is released."""
    by = Person(person, reason, nonce)
    taken: list[str] = []

    def command(payment: Payment) -> Command:
        taken.append(payment.currency)
        minor = minor_units(amount, payment.currency) if amount else None
        asked = CapturePayment(order_id=order_id, amount=minor, by=f"{person}: {reason}"[:300])
        return msgspec.structs.replace(asked, idempotency=by.key(asked))

    decided = _carried_out(order_id, by, command)
    _say(decided, by, f"{_money(decided, taken[0])} of {order_id} is being captured")


@commands.command()
def refund(
    order_id: OrderId,
    reason: Reason,
    person: Name,
    nonce: Nonce,
    amount: Amount = None,
    charge: Annotated[str | None, typer.Option(help="a capture other than the one that stands")] = None,
) -> None:
    """Give back what is left of a capture, or a part of it."""
    by = Person(person, reason, nonce)

    def command(payment: Payment) -> Command:
        minor = minor_units(amount, payment.currency) if amount else None
        asked = RefundPayment(order_id=order_id, amount=minor, reason=reason, charge_id=charge, by=person)
        return msgspec.structs.replace(asked, idempotency=by.key(asked))

    decided = _carried_out(order_id, by, command)
    currency = str(decided.value("currency"))
    left = shown(int(str(decided.value("refundable"))), currency)
    what = f"refund {decided.value('refund_id')} of {_money(decided, currency)} is {decided.value('status')}"
    _say(decided, by, f"{what}; {left} can still be refunded")


@commands.command()
def mark(
    order_id: OrderId,
    source: Annotated[str, typer.Option(help="where the money is, e.g. the bank account it came to")],
    reason: Reason,
    person: Name,
    nonce: Nonce,
) -> None:
    """Say that the order was paid elsewhere: a line of its own in the books, under your name."""
    by = Person(person, reason, nonce)
    asked = MarkPayment(order_id=order_id, source=source, person=person, reason=reason)
    command = msgspec.structs.replace(asked, idempotency=by.key(asked))
    decided = _carried_out(order_id, by, lambda _: command)
    _say(decided, by, f"{order_id} is {decided.value('status')}, marked by hand")


@commands.command()
def resolve(
    order_id: OrderId,
    flag: Annotated[str, typer.Argument(metavar="FLAG", help="as `payment show` names it")],
    reason: Reason,
    person: Name,
    nonce: Nonce,
    subject: Annotated[str | None, typer.Option(help="needed when the flag stands more than once")] = None,
) -> None:
    """Say that you have dealt with what a flag was raised for."""
    by = Person(person, reason, nonce)

    def command(payment: Payment) -> Command:
        meant = subject if subject is not None else _subject(payment, flag)
        asked = ResolveFlag(order_id=order_id, flag=flag, subject=meant, person=person, reason=reason)
        return msgspec.structs.replace(asked, idempotency=by.key(asked))

    decided = _carried_out(order_id, by, command)
    _say(decided, by, f"flag {flag} of {order_id} is resolved")


def _subject(payment: Payment, flag: str) -> str:
    """What the flag was raised for, when there is one answer; else the rules say that there is none."""
    standing = [f for f in payment.flags if f.reason == flag]
    waiting = [f.subject for f in standing if f.resolved_at is None] or [f.subject for f in standing]
    return waiting[0] if len(waiting) == 1 else ""


def _carried_out(order_id: str, by: Person, command: Callable[[Payment], Command]) -> Decided:
    async def work(kit: Kit) -> Decided:
        async with kit.engine.connect() as connection:
            payment = _found(await store(kit).read(connection, order_id), order_id)
        return await carry_out(kit, command(payment), order_id, by)

    typer.echo(f"asking as {by.name}; if no answer comes, ask again with --nonce {by.nonce}", err=True)
    return at_desk(kit, work)


def _found(found: T | None, order_id: str) -> T:
    if found is None:
        raise NotFound("order-not-found", f"no order {order_id} is held here: check the id")
    return found


def _money(decided: Decided, currency: str) -> str:
    return shown(int(str(decided.value("amount"))), currency)


def _say(decided: Decided, by: Person, what: str) -> None:
    if decided.repeated:
        typer.echo("this nonce was used before: nothing more was done. The answer of then:")
    typer.echo(what)
    typer.echo(f"on record as {by.name}: {by.reason} (nonce {by.nonce})")
