"""Which number each part of a stack listens on: all follow from one base."""

import contextlib
import random
import socket
from dataclasses import dataclass

DEFAULT_BASE = 8700
HOST = "127.0.0.1"
SERVICES = ("gateway", "payments", "notifier", "reconciler")
INSTANCES_MAX = 8  # of one service: keeps every number of a stack below base + 100

_LOWEST, _HIGHEST = 10_000, 32_000  # Linux and macOS give outgoing connections higher ones
_DRAW = random.SystemRandom()

_HTTP = {"gateway": 0, "notifier": 1, "reconciler": 2}
_OPS = {name: 4 + place for place, name in enumerate(SERVICES)}


@dataclass(frozen=True)
class Ports:
    """Two stacks whose bases are 100 or more apart never meet."""

    base: int = DEFAULT_BASE

    def http(self, service: str, instance: int = 1) -> int | None:
        """The public address of a service; payments has none."""
        offset = _HTTP.get(service)
        return None if offset is None else self._of_instance(instance) + offset

    def ops(self, service: str, instance: int = 1) -> int:
        """Health and metrics of a service."""
        return self._of_instance(instance) + _OPS[service]

    def _of_instance(self, instance: int) -> int:
        """Further instances take blocks of eight from base + 40 on."""
        if not 1 <= instance <= INSTANCES_MAX:
            raise ValueError(f"instance {instance} is not between 1 and {INSTANCES_MAX}")
        return self.base if instance == 1 else self.base + 40 + 8 * (instance - 2)

    @property
    def shop(self) -> int:
        return self.base + 10

    @property
    def simulator(self) -> int:
        return self.base + 11

    @property
    def mailbox(self) -> int:
        return self.base + 12

    @property
    def smtp(self) -> int:
        return self.base + 13

    @property
    def postgres(self) -> int:
        return self.base + 20

    def kafka(self, node: int) -> tuple[int, int]:
        """The broker's and the controller's port of one node, counted from 0."""
        return self.base + 30 + 2 * node, self.base + 31 + 2 * node


def is_free(port: int) -> bool:
    """True when a server could listen there now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, timeout_s: float = 0.5) -> bool:
    """True when something accepts a connection there."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Numbers that no one listens on, all different; take them soon.

    Drawn from below those that the kernel gives to outgoing connections: there, a server that
    restarts could find its port taken, or a client that tries again could reach itself.
    """
    found: list[int] = []
    while len(found) < count:
        port = _DRAW.randrange(_LOWEST, _HIGHEST)
        if port not in found and is_free(port):
            found.append(port)
    return found


def free_base() -> int:
    """A base whose hundred numbers are all free; take them soon."""
    while True:
        base = _DRAW.randrange(_LOWEST, _HIGHEST - 100, 100)
        if all(is_free(base + offset) for offset in range(100)):
            return base
