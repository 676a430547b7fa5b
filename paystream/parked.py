"""`paystream parked`: the messages that no rule could have, of every service, and another try at one."""

import getpass
import json
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.table import Table

from shared import inbox
from shared.desk import REFUSED, at_desk, configured, gone, printable, terminal
from shared.errors import NotFound
from shared.service import Kit

SERVICES = ("gateway", "payments", "notifier", "reconciler")
LIMIT = 100  # of each service, for a table that a person can read

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Consumer = Annotated[str, typer.Argument(help="as `parked list` names it, e.g. payments.payments.webhooks")]
Message = Annotated[str, typer.Argument(metavar="ID", help="as `parked list` names it")]


@commands.command("list")
def list_(
    service: Annotated[
        str | None, typer.Option(help="one service; else every one that is set up here")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="so many of each service")] = LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """What is parked, the oldest first."""

    async def listed(kit: Kit) -> list[dict[str, Any]]:
        async with kit.engine.connect() as connection:
            return await inbox.parked(connection, limit + 1)

    names = [_known(service)] if service else [name for name in SERVICES if configured(name)]
    if not names:
        raise gone("no service is set up in this environment: run it where a service's settings are", 2)
    rows: list[dict[str, Any]] = []
    for name in names:
        found = at_desk(import_module(f"services.{name}.operate").kit, listed)
        rows += found[:limit]
        if len(found) > limit:
            typer.echo(f"more is parked at {name} than the oldest {limit}: see --limit", err=True)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = Table("when", "consumer", "id", "bytes", "why", title=f"parked at {', '.join(names)}")
    for row in rows:
        why = printable(str(row["error"]).partition("\n")[0])
        table.add_row(f"{row['received_at']:%Y-%m-%d %H:%M:%S}", row["consumer"], row["message_id"],
                      str(row["bytes"]), why)  # fmt: skip
    terminal().print(table if rows else f"nothing is parked at {', '.join(names)}")


@commands.command()
def show(consumer: Consumer, message_id: Message) -> None:
    """One message whole: where it came from, why it was parked, its exact bytes."""

    async def read(kit: Kit) -> dict[str, Any]:
        async with kit.engine.connect() as connection:
            row = await inbox.parked_one(connection, consumer, message_id)
        if row is None:
            raise NotFound("not-parked", f"{message_id} was never parked at {consumer}: see `parked list`")
        return row

    row = at_desk(_kit_of(consumer), read)
    place = f"{row['topic']}/{row['partition']}/{row['record_offset']}"
    typer.echo(
        f"{row['outcome']}  {row['consumer']}  {row['message_id']}\nfrom {place}, {row['received_at']}"
    )
    if row["replayed_at"]:
        typer.echo(f"replayed {row['replayed_at']} by {row['replayed_by']}")
    typer.echo(f"why: {printable(row['error'])}\n--- {len(row['body'])} bytes")
    typer.echo(printable(row["body"]))


@commands.command()
def replay(
    consumer: Consumer,
    message_id: Message,
    person: Annotated[str, typer.Option(help="who does it", default_factory=getpass.getuser)],
    reason: Annotated[str, typer.Option(help="why it should work now; stays on record")],
) -> None:
    """Apply one parked message now. Two at once act once; what still fails stays parked."""

    async def again(kit: Kit) -> None:
        await kit.replay(consumer, message_id, f"{person}: {reason}"[:300])

    try:
        at_desk(_kit_of(consumer), again)
    except SystemExit:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a decider can raise: it stays parked
        raise gone(f"still cannot be processed, and stays parked: {error!r:.500}", REFUSED) from None
    typer.echo(f"applied {message_id} at {consumer}, on record as {person}: {reason}")


def _kit_of(consumer: str) -> Any:
    return import_module(f"services.{_known(consumer.partition('.')[0])}.operate").kit


def _known(service: str) -> str:
    if service not in SERVICES:
        raise gone(f"there is no service {service!r}: one of {', '.join(SERVICES)}", 2)
    if not configured(service):
        raise gone(f"{service} is not set up in this environment: run it where its settings are", 2)
    return service
