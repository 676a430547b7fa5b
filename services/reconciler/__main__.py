"""`python -m services.reconciler` is the service; with a command it is a tool beside it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer

from services.reconciler import daily
from services.reconciler.app import NAME, book_loop, build
from services.reconciler.rebuild import rebuild as read_again
from services.reconciler.settings import ReconcilerSettings
from shared import service
from shared.envelope import now_utc
from shared.health import Health
from shared.publish import Publisher
from shared.service import Kit

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@commands.command()
def run(
    provider: Annotated[str, typer.Option(help="as configured: razorpay")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="a UTC day")],
) -> None:
    """Ask for a run: compare this provider's day with ours, now."""
    envelope = daily.request(provider, day.date(), now_utc())

    async def ask(kit: Kit) -> None:
        publisher = Publisher(kit.settings.kafka)
        await publisher.start()
        try:
            await daily.publish(publisher, envelope)
        finally:
            await publisher.stop()

    _with_kit(ask)
    typer.echo(f"asked for; the result: GET /api/reconciliation/{day.date().isoformat()}")


@commands.command()
def rebuild() -> None:
    """Empty our side of the book and read all of payments.events again. The service may run meanwhile."""

    async def again(kit: Kit) -> None:
        done = await read_again(kit.engine, kit.settings.kafka, book_loop(kit, Health()))
        typer.echo(f"before     {done.before}\nafter      {done.after}")
        typer.echo(f"records    {done.records}\nunreadable {done.unreadable}")

    _with_kit(again)


def _with_kit(work: Callable[[Kit], Awaitable[None]]) -> None:
    settings = service.read_settings(NAME, ReconcilerSettings)

    async def life() -> None:
        kit = build(settings)
        try:
            await work(kit)
        finally:
            await kit.engine.dispose()

    asyncio.run(life())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments in ([], ["migrate"]):
        service.main(NAME, ReconcilerSettings, build, arguments)
    else:
        commands()
