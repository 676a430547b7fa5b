"""The command line of the devstack: ``python -m devstack up | demo | engines | status | down``."""

import contextlib
import importlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from devstack.data_folder import DataFolder, Note
from devstack.options import Options, Parts
from devstack.ports import DEFAULT_BASE, Ports
from devstack.process import StackError
from devstack.readiness import is_ready
from devstack.stack import Stack
from devstack.words import Narrator, addresses, say

CANNOT = 2  # exit code: something on the machine is missing or busy
INTERRUPTED = 130  # exit code: ended by Ctrl-C before the work was done
DOWN_TIMEOUT_S = 60.0

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=__doc__,
    rich_markup_mode=None,
)

PortBase = Annotated[int, typer.Option(help="First port; everything else follows from it.")]
DataDir = Annotated[Path, typer.Option(help="Where the stack keeps its data and logs.")]
KafkaNodes = Annotated[int, typer.Option(help="1, or 3: then everything is kept three times.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Wipe the data folder first.")]
TimeScale = Annotated[float, typer.Option(help="Divides every schedule and expiry; 60 makes hours minutes.")]
Seed = Annotated[int, typer.Option(help="Of the simulator's misbehaviour.")]


@app.command()
def up(
    port_base: PortBase = DEFAULT_BASE,
    data_dir: DataDir = Path(".data/stack"),
    kafka_nodes: KafkaNodes = 1,
    time_scale: TimeScale = 1.0,
    seed: Seed = 0,
    *,
    fresh: Fresh = False,
) -> None:
    """Start everything and stay up until Ctrl-C."""
    options = Options(
        data_dir, port_base, Parts.EVERYTHING, kafka_nodes, time_scale=time_scale, seed=seed, respawn=True
    )
    _stay_up(options, fresh=fresh)


@app.command()
def engines(
    port_base: PortBase = DEFAULT_BASE,
    data_dir: DataDir = Path(".data/engines"),
    kafka_nodes: KafkaNodes = 1,
    *,
    fresh: Fresh = False,
) -> None:
    """Start PostgreSQL and Kafka alone, and stay up until Ctrl-C."""
    _stay_up(Options(data_dir, port_base, Parts.ENGINES, kafka_nodes, respawn=True), fresh=fresh)


@app.command()
def demo(
    port_base: PortBase = DEFAULT_BASE,
    data_dir: DataDir = Path(".data/demo"),
    kafka_nodes: KafkaNodes = 1,
    seed: Seed = 1,
) -> None:
    """Play a scripted day on a fresh stack, check every book, stop. The exit code tells."""
    run = importlib.import_module("devstack.demo").run
    options = Options(
        data_dir, port_base, Parts.EVERYTHING, kafka_nodes, time_scale=60, seed=seed, respawn=True
    )
    with _one_clear_line(), _running(options, fresh=True) as stack:
        kept = run(stack)
    raise typer.Exit(0 if kept else 1)


@app.command()
def status(data_dir: DataDir = Path(".data/stack")) -> None:
    """Say what runs; exit code 1 when nothing does."""
    note = DataFolder(data_dir).note()
    if note is None or note.stack.find() is None:
        say(f"no stack runs in {data_dir}")
        raise typer.Exit(1)
    ports = Ports(note.port_base)
    for name, child in note.children.items():
        state = "dead" if child.find() is None else "ready" if is_ready(ports, name) else "not ready"
        say(f"{name:<14} {state:<10} process {child.pid}")
    for line in addresses(ports, set(note.children)):
        say(line)


@app.command()
def down(data_dir: DataDir = Path(".data/stack")) -> None:
    """Stop the stack of a data folder, whoever started it; its data stays."""
    note = DataFolder(data_dir).note()
    stopped = note is not None and _stop_other(note)
    say(f"the stack in {data_dir} is stopped" if stopped else f"no stack runs in {data_dir}")


def _stop_other(note: Note) -> bool:
    """Asks the stack to end, then makes sure that nothing of it is left."""
    process = note.stack.find()
    if process is not None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            process.wait(DOWN_TIMEOUT_S)
    return note.end_leftovers() > 0 or process is not None


def _stay_up(options: Options, *, fresh: bool) -> None:
    with _one_clear_line(), _running(options, fresh=fresh) as stack:
        for line in addresses(stack.ports, set(stack.all_processes())):
            say(line)
        say(f"  Logs        {stack.folder.logs}   stop: Ctrl-C")
        with contextlib.suppress(_Interrupted):
            _tell_respawns(stack)


def _tell_respawns(stack: Stack) -> NoReturn:
    told: dict[str, int] = {}
    while True:
        time.sleep(1.0)
        for name, times in stack.supervisor.respawns.items():
            if told.get(name) != times:
                told[name] = times
                say(f"{name} died and was started again ({times}); see {stack.log(name)}")


@contextlib.contextmanager
def _running(options: Options, *, fresh: bool) -> Iterator[Stack]:
    """A started stack; stops it in order on the way out."""
    with Narrator() as narrator:
        stack = Stack(options, narrator.tell)
        if fresh:
            stack.folder.wipe()
        _on_signals(stack)
        try:
            stack.start()
            narrator.rest()
            yield stack
        finally:
            narrator.resume()
            stack.stop()


class _Interrupted(Exception):
    """Ctrl-C, or the terminal was closed, or somebody asked for an end."""


def _on_signals(stack: Stack) -> None:
    """The first signal ends in order, a second one at once."""
    ending = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal ending
        if ending:
            stack.stop_at_once()
            raise SystemExit(INTERRUPTED)
        ending = True
        raise _Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


@contextlib.contextmanager
def _one_clear_line() -> Iterator[None]:
    """What a person can mend is said in one line, with exit code 2."""
    try:
        yield
    except StackError as problem:
        _refuse(str(problem))
    except _Interrupted:
        raise typer.Exit(INTERRUPTED) from None


def _refuse(problem: str) -> NoReturn:
    print(f"paystream: {problem}", file=sys.stderr)  # noqa: T201 - the one line
    raise typer.Exit(CANNOT)
