"""`python -m bench`: the system, a plain peer and this machine's limits, in one run.

Exit code 1 when what was accepted and what came out are not the same; targets that are missed are shown.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import machine, report
from bench.plan import Durations, measure
from bench.webhooks import WrongCount
from devstack.options import Options, Parts
from devstack.process import StackError
from devstack.stack import Stack

RESULTS = Path(__file__).parent / "results" / "latest.json"
PORT_BASE = 9300  # beside a stack on the usual ports
console = Console(width=None if sys.stdout.isatty() else 120)
command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def main(
    port_base: Annotated[int, typer.Option(help="first of the ports it uses")] = PORT_BASE,
    data_dir: Annotated[Path, typer.Option(help="where its engines keep their data")] = Path(".data/bench"),
    seconds: Annotated[float, typer.Option(help="of each load", min=1)] = 12.0,
    warm_up: Annotated[float, typer.Option(help="seconds of load before anything is measured")] = 10.0,
    only: Annotated[str, typer.Option(help="comma list of: system, orders, peer, limits")] = "",
) -> None:
    """Measure, print a table, write the same as JSON."""
    chosen = frozenset(filter(None, only.split(","))) or report.PARTS
    if unknown := chosen - report.PARTS:
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: choose from {', '.join(sorted(report.PARTS))}"
        )
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.described(),
        "seconds": seconds,
    }
    options = Options(data_dir, port_base=port_base, parts=Parts.ENGINES)
    try:
        Stack(options).folder.wipe()  # the same empty engines for every run
        with console.status("starting PostgreSQL and Kafka") as status, Stack(options) as stack:
            durations = Durations(warm_up, seconds)
            found |= asyncio.run(measure(stack, chosen, durations, status.update))
    except (StackError, WrongCount) as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2, default=asdict) + "\n")
    report.show(console, found)
    console.print(f"[dim]written to {RESULTS}[/dim]")


if __name__ == "__main__":
    command()
