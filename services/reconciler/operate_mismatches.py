"""What people do with mismatches from the command line: see them, accept one, approve its repair."""

import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from services.reconciler import report
from services.reconciler.app import NAME, build, command_applier
from services.reconciler.comparing import incoming
from services.reconciler.domain.money import plain
from services.reconciler.period import shown
from services.reconciler.settings import ReconcilerSettings
from services.reconciler.store import mismatches
from shared import service
from shared.decision import Answer
from shared.desk import REFUSED, at_desk, printable, terminal
from shared.envelope import now_utc
from shared.errors import Rejected
from shared.messages.base import Message
from shared.messages.reconciler import AcceptMismatch, ApproveRepair
from shared.service import Kit

T = TypeVar("T")

mismatch = typer.Typer(no_args_is_help=True, help="what differs, and what is done about it")
console = terminal()

Id = Annotated[str, typer.Argument(help="the mismatch's id, as lists and reports show it")]
Person = Annotated[str, typer.Option(help="who says so; your log-in name unless given")]


@mismatch.command(name="list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100) -> None:
    """Open mismatches, the oldest first."""

    async def read(kit: Kit, _: ReconcilerSettings) -> None:
        async with kit.engine.connect() as connection:
            found = await mismatches.open_ones(connection, limit)
        now = now_utc()
        table = Table(box=None)
        for column in ("since", "matters", "kind", "amount", "order", "provider", "id", "mended by"):
            table.add_column(column, justify="right" if column == "amount" else "left", overflow="fold")
        for one in (shown(m, now) for m in found):
            amount = f"{plain(one.amount, one.currency)} {one.currency}"
            repair = f"{one.proposed_repair or 'nobody here'}{' (waits for approval)' * one.needs_approval}"
            age = report.age(one.first_seen_at, now)
            table.add_row(
                age, one.severity, one.kind, amount, one.order_id or "", one.provider, one.mismatch_id, repair
            )
        console.print(table if found else "nothing differs")

    with_kit(read)


@mismatch.command()
def show(mismatch_id: Id) -> None:
    """One mismatch: the evidence of each leg, what will happen, and its whole history."""

    async def read(kit: Kit, _: ReconcilerSettings) -> int:
        async with kit.engine.connect() as connection:
            known = await mismatches.one(connection, mismatch_id)
            notes = await mismatches.notes(connection, mismatch_id)
        if known is None:
            typer.echo(f"there is no mismatch {printable(mismatch_id)}", err=True)
            return REFUSED
        one = shown(known, now_utc())
        typer.echo(f"{one.kind} of {one.provider} {printable(one.subject)}, order {one.order_id or 'none'}")
        typer.echo(f"{plain(one.amount, one.currency)} {one.currency}, {one.status}, {one.severity}")
        for leg in one.legs:
            amount = "" if leg.amount is None else f"{plain(leg.amount, leg.currency)} {leg.currency}"
            typer.echo(f"  {leg.side:<10} {leg.state:<12} {amount}")
        typer.echo(f"mended by: {one.repair}{' (waits for approval)' * one.needs_approval}")
        for note in notes:
            words = printable(f"{note.what} {note.person} {note.text}".replace("  ", " "))
            typer.echo(f"  {note.at:%Y-%m-%d %H:%M:%S} #{note.occurrence} {words}")
        return 0

    raise typer.Exit(with_kit(read))


@mismatch.command()
def accept(mismatch_id: Id, reason: Annotated[str, typer.Option()], person: Person = "") -> None:
    """Take the difference as it is, with a reason. It comes back only with other evidence."""
    who = person or getpass.getuser()

    def command(occurrence: int) -> Message:
        return AcceptMismatch(mismatch_id=mismatch_id, occurrence=occurrence, person=who, reason=reason)

    raise typer.Exit(_decide(mismatch_id, command))


@mismatch.command()
def approve(
    mismatch_id: Id, person: Person = "", reason: Annotated[str, typer.Option()] = "", yes: bool = False
) -> None:
    """Let the proposed repair be done; what will happen is shown and asked for first."""
    who = person or getpass.getuser()

    async def proposal(kit: Kit, _: ReconcilerSettings) -> str:
        async with kit.engine.connect() as connection:
            known = await mismatches.one(connection, mismatch_id)
        return known.repair.words if known else ""

    confirmed = None
    if not yes and (words := with_kit(proposal)):
        typer.confirm(f"This {words}. Do it?", abort=True)
        confirmed = words

    def command(occurrence: int) -> Message:
        return ApproveRepair(mismatch_id=mismatch_id, occurrence=occurrence, person=who, reason=reason)

    raise typer.Exit(_decide(mismatch_id, command, confirmed))


def _decide(mismatch_id: str, command: Callable[[int], Message], confirmed: str | None = None) -> int:
    """Through the same rules and the same transaction as a message from Kafka.

    `confirmed`: what was shown to the person, who may have thought about it while a run saw something else.
    """

    async def decide(kit: Kit, _: ReconcilerSettings) -> list[Answer]:
        async with kit.engine.connect() as connection:
            known = await mismatches.one(connection, mismatch_id)
        if confirmed is not None and (known is None or known.repair.words != confirmed):
            raise Rejected("repair-changed", "something else would be done by now: look at it again")
        asked = incoming(command(known.occurrence if known else 0), mismatch_id)
        applier = command_applier(kit, {})
        async with kit.engine.begin() as connection:
            return await applier.within(connection, [asked])

    (answer,) = with_kit(decide)
    if answer.code == "ok":
        typer.echo("done")
        return 0
    typer.echo(f"{answer.code}: {answer.detail}", err=True)
    return REFUSED


def with_kit(work: Callable[[Kit, ReconcilerSettings], Awaitable[T]]) -> T:
    settings = service.read_settings(NAME, ReconcilerSettings)
    return at_desk(lambda: build(settings), lambda parts: work(parts, settings))
