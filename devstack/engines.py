"""PostgreSQL and Kafka alone, for whoever holds a lease on them: ``python -m devstack.engines``.

A lease is an open connection. The kernel closes it when its holder dies, however that happens,
so engines that nobody needs any more end by themselves.
"""

import contextlib
import json
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from filelock import FileLock

from devstack.kafka import Kafka
from devstack.ports import HOST, free_ports
from devstack.postgres import Postgres
from devstack.process import StackError

FIRST_LEASE_S = 30.0  # how long started engines wait for the one who asked for them
LINGER_S = 3.0  # how long they stay for the next one: test workers come and go


@contextlib.contextmanager
def running_engines(folder: Path) -> Iterator[dict[str, object]]:
    """Fresh engines in ``folder``, killed and wiped at the end: their data is worth nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    postgres_port, broker, controller = free_ports(3)
    postgres = Postgres(folder / "postgres", postgres_port, folder / "postgres.log")
    kafka = Kafka(folder / "kafka", [(broker, controller)], folder)
    try:
        postgres.start()
        kafka.start()
        yield {
            "postgres_port": postgres_port,
            "passwords": postgres.server.passwords,
            "bootstrap": kafka.bootstrap,
        }
    finally:
        kafka.kill()
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)


def serve_leases(listener: socket.socket, details: bytes) -> None:
    """Tells each comer the details; returns when the last has been gone for LINGER_S."""
    held: set[socket.socket] = set()
    alone_since = time.monotonic() + FIRST_LEASE_S - LINGER_S
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while held or time.monotonic() < alone_since + LINGER_S:
            for key, _ in selector.select(timeout=0.5):
                if key.fileobj is listener:
                    lease, _ = listener.accept()
                    lease.sendall(details)
                    held.add(lease)
                    selector.register(lease, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket) and _is_over(key.fileobj):
                    selector.unregister(key.fileobj)
                    held.discard(key.fileobj)
                    key.fileobj.close()
                    alone_since = time.monotonic()


def _is_over(lease: socket.socket) -> bool:
    try:
        return not lease.recv(1)
    except OSError:
        return True


def main(home: Path) -> None:
    """Serves engines under ``home``; ``home/address`` holds the port to take a lease at."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)  # runs the clean-up on the way out

    signal.signal(signal.SIGTERM, end)
    address = home / "address"
    try:
        with (
            FileLock(home / ".engines.lock"),  # those who are just going still wipe the same folder
            running_engines(home / "data") as details,
            socket.create_server((HOST, 0)) as listener,
        ):
            draft = home / "address.draft"
            draft.write_text(str(listener.getsockname()[1]))
            draft.replace(address)
            try:
                serve_leases(listener, json.dumps(details).encode() + b"\n")
            finally:
                address.unlink(missing_ok=True)
    except StackError as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
