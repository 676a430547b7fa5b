"""What people do with the reconciler from the command line: runs, reports, mismatches, a rebuilt book."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from services.reconciler import daily, report
from services.reconciler.app import NAME, book_loop, build
from services.reconciler.domain.runs import Window, asked_window
from services.reconciler.operate_mismatches import mismatch, with_kit
from services.reconciler.period import DAYS_MAX, Periods
from services.reconciler.rebuild import rebuild as read_again
from services.reconciler.settings import ReconcilerSettings
from shared import service
from shared.desk import AWAY_CODE, REFUSED, reach_kafka, terminal, write_out
from shared.envelope import now_utc
from shared.health import Health
from shared.messages.reconciler import RunReconciliation
from shared.publish import Publisher
from shared.service import Kit

tool = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
tool.add_typer(mismatch, name="mismatch")
console = terminal()

Provider = Annotated[str, typer.Option(help="as configured: razorpay, stripe, paypal")]
_INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
From = Annotated[datetime | None, typer.Option("--from", formats=_INSTANTS, help="UTC")]
To = Annotated[datetime | None, typer.Option("--to", formats=_INSTANTS, help="UTC")]
Date = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a UTC day")]


@tool.command()
def reconcile(
    provider: Provider,
    since: From = None,
    until: To = None,
    day: Date = None,
    wait_s: Annotated[float, typer.Option("--wait", help="seconds to watch it; 0 only asks")] = 600.0,
) -> None:
    """Compare a provider's day or window with ours, now, and show what comes out."""
    command = _asked(provider, since, until, day)
    window = asked_window(command)
    if window is None:
        raise typer.BadParameter("give --day, or --from and --to, at most a year apart and not before 2000")

    async def ask(kit: Kit, settings: ReconcilerSettings) -> int:
        account = _account(settings, provider)
        if account is None:
            raise typer.BadParameter(f"{provider} is not configured here")
        before = await _run_row(kit, Window(provider, account, *window))
        publisher = Publisher(settings.kafka)
        try:
            await reach_kafka(publisher.start())
            await daily.publish(publisher, daily.request(command, now_utc()))
        finally:
            await publisher.stop()
        if not wait_s:
            return 0
        return await _watch(kit, Window(provider, account, *window), before, wait_s)

    raise typer.Exit(with_kit(ask))


@tool.command(name="report")
def report_(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="a UTC day")],
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help=f"the last of at most {DAYS_MAX} days"),
    ] = None,
    form: Annotated[Literal["html", "csv"], typer.Option("--format")] = "html",
    out: Annotated[Path | None, typer.Option(help="a file; standard output unless given")] = None,
) -> None:
    """A day, or some, for a finance person: where the money is, what differs, what is being done."""
    since, until = day.date(), (last or day).date()
    if not 0 <= (until - since).days < DAYS_MAX:
        raise typer.BadParameter(f"a period has 1 to {DAYS_MAX} days", param_hint="--to")

    async def read(kit: Kit, settings: ReconcilerSettings) -> str:
        now = now_utc()
        periods = Periods(kit.engine, frozenset(settings.without_settlements))
        found = await periods.whole(since, until, now)
        return report.html(found, now) if form == "html" else report.table(found)

    page = with_kit(read)
    if out is None:
        typer.echo(page, nl=False)
    else:
        write_out(out, page.encode())
        typer.echo(f"written to {out}")


@tool.command()
def rebuild() -> None:
    """Empty our side of the book and read all of payments.events again. The service may run meanwhile."""

    async def again(kit: Kit, settings: ReconcilerSettings) -> None:
        done = await read_again(kit.engine, settings.kafka, book_loop(kit, Health()))
        typer.echo(f"before     {done.before}\nafter      {done.after}")
        typer.echo(f"records    {done.records}\nunreadable {done.unreadable}")

    with_kit(again)


def _alone(function: Callable[..., None]) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    return app


# What the operators' command finds here, by name.
commands = {"reconcile": _alone(reconcile), "report": _alone(report_), "mismatch": mismatch}


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(service.read_settings(NAME, ReconcilerSettings))


# --- how ---------------------------------------------------------------------------------------------------


def _asked(
    provider: str, since: datetime | None, until: datetime | None, day: datetime | None
) -> RunReconciliation:
    if day is not None:
        return RunReconciliation(provider=provider, day=day.date())
    start, end = (None if at is None else at.replace(tzinfo=UTC) for at in (since, until))
    about = (start or now_utc()).date()
    return RunReconciliation(provider=provider, day=about, since=start, until=end or now_utc())


def _account(settings: ReconcilerSettings, provider: str) -> str | None:
    section = getattr(settings.providers, provider, None)
    return getattr(section, "account", None)


async def _run_row(kit: Kit, window: Window) -> int:
    """How many runs of this window there were."""
    asked = {name: getattr(window, name) for name in ("provider", "account", "since", "until")}
    async with kit.engine.connect() as connection:
        return int((await connection.execute(_NUMBER, asked)).scalar() or 0)


async def _watch(kit: Kit, window: Window, before: int, wait_s: float) -> int:
    """Shows how far the run is until it is through; exit code 1 when something differs, 3 when the time is
    over first.
    """
    asked = {name: getattr(window, name) for name in ("provider", "account", "since", "until")}
    deadline = now_utc() + timedelta(seconds=wait_s)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        line = bar.add_task("asked for")
        while now_utc() < deadline:
            async with kit.engine.connect() as connection:
                row = (await connection.execute(_STATE, asked)).one_or_none()
            if (
                row is not None
                and row.number > 0
                and not row.open
                and row.completed_at
                and row.number > before
            ):
                console.print(
                    f"{row.ours} of ours, {row.theirs} of theirs, {row.settled} in settlements: "
                    f"{row.agreed} agree, {row.mismatches} differ"
                )
                return REFUSED if row.mismatches else 0
            if row is not None and row.open:
                before = min(before, row.number - 1)
                bar.update(line, description=f"{row.listed} read, {row.compared} compared")
            await asyncio.sleep(0.2)
    typer.echo("not through yet; it goes on without you", err=True)
    return AWAY_CODE


_NUMBER = text("""
    SELECT number FROM runs
    WHERE provider = :provider AND account = :account AND since = :since AND until = :until AND NOT open""")
_STATE = text("""
    SELECT * FROM runs
    WHERE provider = :provider AND account = :account AND since = :since AND until = :until""")
