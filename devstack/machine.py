"""What a stack needs of the machine, checked before anything starts: one clear line each."""

import contextlib
import os
from pathlib import Path

import psutil

from devstack.options import Options, Parts
from devstack.ports import is_free
from devstack.process import StackError

ENGINES_MB = 730  # Kafka 350, PostgreSQL 280 once its buffers are full, and room
FURTHER_KAFKA_NODE_MB = 350
EVERYTHING_MB = 1630  # the engines, four services at about 130 and three small servers
DISK_MB = 1000  # logs of both engines after an afternoon's use


def memory_needed_mb(options: Options) -> int:
    everything = options.parts is Parts.EVERYTHING
    whole = EVERYTHING_MB if everything else ENGINES_MB
    return whole + (options.kafka_nodes - 1) * FURTHER_KAFKA_NODE_MB


def require_memory(needed_mb: int, available_mb: int | None = None) -> None:
    if available_mb is None:
        available_mb = psutil.virtual_memory().available // 1_000_000
    if available_mb < needed_mb:
        raise StackError(f"{available_mb} MB of memory are free, the stack needs {needed_mb} MB")


def require_disk(folder: Path, needed_mb: int = DISK_MB, available_mb: int | None = None) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if available_mb is None:
        available_mb = psutil.disk_usage(str(existing)).free // 1_000_000
    if available_mb < needed_mb:
        raise StackError(
            f"{available_mb} MB are free on the disk of {folder}, the stack needs {needed_mb} MB"
        )
    if not os.access(existing, os.W_OK):
        raise StackError(f"{existing} cannot be written: choose another --data-dir")


def require_ports(wanted: dict[int, str]) -> None:
    """``wanted``: port → who needs it."""
    for port, part in sorted(wanted.items()):
        if not is_free(port):
            raise StackError(
                f"port {port} is busy ({_listener(port)}), {part} needs it: "
                "stop that, or choose other ports with --port-base (make: PORT_BASE=…)"
            )


def _listener(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
                continue
            if connection.laddr.port == port:
                return f"process {connection.pid}, {psutil.Process(connection.pid).name()}"
    return "by another process"
