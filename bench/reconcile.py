"""`python -m bench.reconcile`: a day of 100 thousand and of 1 million transactions, on three legs.

Own time is wall time less waiting for the provider's pages; processor time and peak memory are of the
reconciler's process alone: on a machine that others use, the first says little and the second still does.
Exit code 1 when what is found is not exactly what differs.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from bench.reconcile_day import ACCOUNT, DAY, UNTIL, Ledger, expected, fill
from devstack.options import Options, Parts
from devstack.stack import Stack
from services.reconciler import handlers
from services.reconciler.app import MIGRATIONS
from services.reconciler.comparing import Comparer, incoming
from services.reconciler.domain.runs import TASK, key_of
from services.reconciler.domain.steps import Plan
from services.reconciler.providers import Provider
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import WindowStore
from services.reconciler.windows import Windows
from shared.apply import Applier, Decide, Store
from shared.database import migrate, new_engine
from shared.envelope import now_utc
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.reconciler import RunReconciliation
from shared.providers.base import Adapter
from shared.settings import DatabaseSettings
from shared.tasks import Answered, ClaimedTask

S = TypeVar("S")

PORT_BASE = 25_300  # beside a stack on the usual ports
COUNTS = "100000,1000000"
OWN_S_MAX, PEAK_MB_MAX = 60.0, 300.0  # docs/performance.md says where these come from
TURN_S = 12.5  # as the service's own turns

console = Console(width=None if sys.stdout.isatty() else 120)
command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Result:
    """One day."""

    count: int
    own_s: float
    waited_s: float
    processor_s: float
    peak_mb: float
    compared: int
    found: int
    differing: int
    right: bool


@command.command()
def main(
    counts: Annotated[str, typer.Option(help="transactions, a comma list")] = COUNTS,
    port_base: Annotated[int, typer.Option(help="first of the ports it uses")] = PORT_BASE,
    data_dir: Annotated[Path, typer.Option(help="where its engines keep their data")] = Path(
        ".data/bench-reconcile"
    ),
) -> None:
    """Measure each size on empty engines of its own, print a table."""
    results = []
    for count in (int(c) for c in counts.split(",")):
        options = Options(data_dir, port_base=port_base, parts=Parts.ENGINES)
        Stack(options).folder.wipe()
        with console.status(f"{count:,} transactions"), Stack(options) as stack:
            results.append(_one(stack, count))
    _show(results)
    if not all(r.right for r in results):
        raise typer.Exit(1)


def _one(stack: Stack, count: int) -> Result:
    database = stack.wiring.database
    asyncio.run(_prepare(database.url("reconciler_owner"), database.url("postgres"), count))
    arguments = [
        sys.executable,
        "-m",
        "bench.reconcile",
        "--child",
        database.url("reconciler_app"),
        str(count),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        console.print(done.stderr[-3000:], markup=False)
        raise typer.Exit(1)
    return Result(**json.loads(done.stdout.splitlines()[-1]))


async def _prepare(owner_url: str, admin_url: str, count: int) -> None:
    await migrate(owner_url, "reconciler", MIGRATIONS)
    connection = await asyncpg.connect(admin_url.replace("+asyncpg", ""))
    try:
        await connection.execute("SET search_path = reconciler")
        for statement in fill(count, PAYMENTS_EVENTS.partitions):
            await connection.execute(statement, timeout=600)
    finally:
        await connection.close()


# --- in a process of its own -------------------------------------------------------------------------------


async def _child(url: str, count: int) -> Result:
    engine = new_engine(DatabaseSettings.model_validate({"url": url}), "reconciler")

    def applier(consumer: str, store: Store[S], decide: Decide[S]) -> Applier[S]:
        return Applier(consumer, "reconciler", engine, store, decide, now_utc, lambda: None, lambda _: None)

    ledger: Adapter = Ledger(count)  # type: ignore[assignment] # as much of one as a run calls
    plan = Plan(settles=True, due_s=7 * 86_400.0, overlap_s=3_600.0)
    providers: Mapping[str, Provider] = {
        "razorpay": Provider(ledger, plan, lag_s=0.0, zone="Asia/Kolkata", patience_s=3_600.0)
    }
    comparer = Comparer(engine)
    windows = applier("windows", WindowStore({"razorpay": ACCOUNT}), handlers.decide_window)
    mismatches = applier("mismatches", MismatchStore(), handlers.decide_mismatch)
    performer = Windows(engine, providers, comparer, mismatches, TURN_S, retry_s=0.0, checkpoint_s=0.0)
    key = key_of("razorpay", ACCOUNT, DAY, UNTIL)
    began, worked = time.monotonic(), time.process_time()
    asked = RunReconciliation(provider="razorpay", day=DAY.date())
    await windows.apply_result(incoming(asked, key))
    result: object = None
    turn = 0
    while not isinstance(result, Answered):
        turn += 1
        result = await performer(ClaimedTask(turn, TASK, f"{TASK}:{key}", key, b"{}", turn))
    await windows.apply_result(incoming(result.message, key))
    wall_s = time.monotonic() - began
    processor_s = time.process_time() - worked
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT kind, subject FROM mismatches WHERE open"))
        found = {(row.kind, row.subject) for row in rows}
        compared = (await connection.execute(text("SELECT compared FROM runs"))).scalar_one()
    await engine.dispose()
    waited_s, differing = comparer.waited.seconds, expected(count)
    return Result(
        count,
        wall_s - waited_s,
        waited_s,
        processor_s,
        peak_mb,
        compared,
        len(found),
        len(differing),
        found == differing,
    )


def _show(results: list[Result]) -> None:
    table = Table(
        title="One day of transactions, three legs, one in a thousand differs", title_justify="left"
    )
    for column in (
        "transactions",
        "own s",
        "per million",
        "provider's pages s",
        "processor s",
        "peak MB",
        "differ",
        "found",
    ):
        table.add_column(column, justify="right")
    for r in results:
        table.add_row(
            f"{r.count:,}",
            f"{r.own_s:.1f}",
            f"{r.own_s / r.count * 1e6:.1f}",
            f"{r.waited_s:.1f}",
            f"{r.processor_s:.1f}",
            f"{r.peak_mb:.0f}",
            f"{r.differing:,}",
            f"{r.found:,}" if r.right else f"[red]{r.found:,}: not the same[/red]",
        )
    console.print(table)
    largest = results[-1]
    reached = largest.own_s <= OWN_S_MAX * largest.count / 1e6 and largest.peak_mb <= PEAK_MB_MAX
    mark = "[green]✓[/green]" if reached else "[red]✗[/red]"
    console.print(f"{mark} wanted: 1,000,000 in {OWN_S_MAX:.0f} s of own time and {PEAK_MB_MAX:.0f} MB")


def _as_child(arguments: list[str]) -> None:
    result = asyncio.run(_child(arguments[0], int(arguments[1])))
    fields: dict[str, Any] = {name: getattr(result, name) for name in Result.__slots__}
    sys.stdout.write(json.dumps(fields) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _as_child(sys.argv[2:])
    else:
        command()
