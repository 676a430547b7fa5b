"""`paystream webhook`: what providers sent, byte for byte, and what was made of it."""

import getpass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from services.payments.operate import deliveries
from services.payments.operate.carry_out import Person, new_nonce
from services.payments.operate.deliveries import Delivery, Judged, Whole
from services.payments.operate.desk import kit
from services.payments.operate.story import did, short
from shared.desk import at_desk, printable, terminal, write_out
from shared.envelope import Envelope, now_utc
from shared.service import Kit

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Id = Annotated[str, typer.Argument(metavar="ID", help="as `webhook list` names it")]
Json = Annotated[bool, typer.Option("--json", help="for programs")]


@commands.command("list")
def list_(
    order: Annotated[str | None, typer.Option(help="of one order, whenever they came")] = None,
    provider: Annotated[str | None, typer.Option(help="e.g. razorpay")] = None,
    verdict: Annotated[
        str | None, typer.Option(help="understood, unknown_type, other_account or unreadable")
    ] = None,
    hours: Annotated[float, typer.Option(help="how far back")] = 24.0,
    limit: Annotated[int, typer.Option(help="at most so many")] = 50,
    as_json: Json = False,
) -> None:
    """What came, the newest first: verdict, how often, what it changed."""

    async def found(kit: Kit) -> list[Delivery]:
        async with kit.engine.connect() as connection:
            return await deliveries.listed(
                connection,
                order_id=order,
                provider=provider,
                verdict=verdict,
                since=now_utc() - timedelta(hours=hours),
                most=limit,
            )

    rows = at_desk(kit, found)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return
    table = Table("received (UTC)", "provider", "event", "verdict", "times", "order", "what it did", "id")
    for row in rows:
        at, event = f"{row.received_at:%Y-%m-%d %H:%M:%S}", printable(row.event_type)
        table.add_row(at, row.provider, event, row.verdict, str(row.times), row.order_id or "–", _did(row),
                      row.message_id)  # fmt: skip
    terminal().print(table if rows else "no such webhook came")


@commands.command()
def show(
    message_id: Id,
    out: Annotated[Path | None, typer.Option(help="write the exact bytes to this file")] = None,
    as_json: Json = False,
) -> None:
    """One webhook whole: when, how often, headers, verdict, what it changed, its exact bytes."""

    async def read(kit: Kit) -> tuple[Whole, list[Envelope]]:
        async with kit.engine.connect() as connection:
            found = await deliveries.whole(connection, message_id)
            return found, await deliveries.effects(connection, found)

    whole, effects = at_desk(kit, read)
    if out is not None:
        write_out(out, whole.body)
        typer.echo(f"{len(whole.body)} bytes written to {out}")
    elif as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(whole), indent=2))
    else:
        _tell(whole, effects)


def _tell(whole: Whole, effects: list[Envelope]) -> None:
    typer.echo(f"{whole.provider} {printable(whole.event_type)}  {whole.message_id}  account {whole.account}")
    times = "once" if whole.times == 1 else f"{whole.times} times, last {whole.last_at}"
    typer.echo(f"received {whole.received_at}, {times}")
    typer.echo(f"verdict {whole.verdict}; order {whole.order_id or 'none'}; {_did(whole)}")
    for said in effects:
        typer.echo(f"  said v{said.version} {short(said.type)}  {said.id}")
    if whole.erased_at is not None:
        hash_ = (whole.body_sha256 or b"").hex()
        typer.echo(f"bytes erased {whole.erased_at}; SHA-256 {hash_}; what they said: {whole.facts}")
        return
    for name, value in msgspec.json.decode(whole.headers, type=dict[str, str]).items():
        typer.echo(printable(f"{name}: {value}"))
    typer.echo(f"--- {len(whole.body)} bytes")
    typer.echo(printable(whole.body))


@commands.command()
def replay(
    message_id: Id,
    person: Annotated[
        str, typer.Option(help="who does it; else the login name", default_factory=getpass.getuser)
    ],
    dry_run: Annotated[bool, typer.Option(help="only say what today's code would decide")] = False,
    reason: Annotated[str, typer.Option(help="why; stays on record")] = "",
) -> None:
    """Apply one webhook again with today's code, or only say what that would do."""
    if not dry_run and not reason:
        raise typer.BadParameter("--reason is needed: it stays on record", param_hint="--reason")

    async def judged(kit: Kit) -> Judged:
        async with kit.engine.connect() as connection:
            found = await deliveries.whole(connection, message_id)
        return await deliveries.judge(kit, found)

    async def applied(kit: Kit) -> tuple[int, int]:
        async with kit.engine.connect() as connection:
            found = await deliveries.whole(connection, message_id)
        return await deliveries.apply_again(kit, found, Person(person, reason, new_nonce()))

    if dry_run:
        _compare(at_desk(kit, judged))
        return
    before, after = at_desk(kit, applied)
    what = f"v{before} → v{after}" if after != before else f"nothing new: v{after} has all of it"
    typer.echo(f"applied {message_id}: {what}; on record as {person}: {reason}")


def _compare(judged: Judged) -> None:
    typer.echo(f"verdict today: {judged.verdict}; order: {judged.order_id or 'none'}")
    typer.echo(f"said then:        {', '.join(judged.said_then) or 'nothing'}")
    typer.echo(f"would say now:    {', '.join(judged.would_say) or 'nothing'}")
    typer.echo(f"would do now:     {', '.join(judged.would_do) or 'nothing'}")
    if judged.status:
        typer.echo(f"status:           {judged.status}")
    for difference in judged.differences:
        typer.echo(f"differs: {difference}")
    if not judged.differences:
        typer.echo("no difference: today's code agrees with what was done")
    typer.echo("nothing was written")


def _did(delivery: Delivery) -> str:
    return did(delivery.outcome, delivery.version_before, delivery.version_after)
