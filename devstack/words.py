"""What the command line says: progress while parts start and stop, then where to go."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from devstack.ports import HOST, Ports

_BEGUN = ("starting", "stopping")
_SETTLED = ("ready", "stopped")


def say(line: str) -> None:
    """One line for a person or a script."""
    print(line, flush=True)  # noqa: T201 - a command's answer


class Narrator:
    """Shows what each part does: live on a terminal, a line for each change elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._lines: dict[str, RenderableType] = {}
        self._began: dict[str, float] = {}

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.rest()

    def tell(self, part: str, state: str) -> None:
        """``part`` is now ``state``: starting, ready, stopping, stopped, or any short text."""
        now = time.monotonic()
        if state in _BEGUN:
            self._began[part] = now
        if state in _SETTLED:
            line = f"{part:<12} {state} ({now - self._began.get(part, now):.1f} s)"
            self._lines[part] = Text(f"✓ {line}")
        else:
            line = f"{part:<12} {state}"
            self._lines[part] = Spinner("dots", Text(line))
        if self._live is not None:
            self._live.update(Group(*self._lines.values()))
        elif not self._console.is_terminal:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def rest(self) -> None:
        """Leaves the last picture standing and gives the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._lines.clear()

    def resume(self) -> None:
        """Begins a new picture below."""
        if self._console.is_terminal and self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8, transient=False)
            self._live.start()


def addresses(ports: Ports, parts: set[str]) -> list[str]:
    """Where a person finds the parts that run."""
    gateway = f"http://{HOST}:{ports.http('gateway')}"
    known = [
        ("shop", "Shop", f"http://{HOST}:{ports.shop}   buy something here"),
        ("mailbox", "Mailbox", f"http://{HOST}:{ports.mailbox}   every mail arrives here"),
        ("gateway", "Gateway", gateway),
        ("gateway", "API docs", f"{gateway}/schema/openapi.json"),
        ("simulator", "Provider", f"http://{HOST}:{ports.simulator}   stands in for Razorpay"),
        ("postgres", "PostgreSQL", f"{HOST}:{ports.postgres}, database paystream"),
        ("kafka", "Kafka", f"{HOST}:{ports.kafka(0)[0]}"),
        ("kafka-0", "Kafka", ", ".join(f"{HOST}:{ports.kafka(node)[0]}" for node in range(3))),
    ]
    return [f"  {label:<11} {where}" for part, label, where in known if part in parts]
