"""`python -m tests.integration.notifier.measure [RECEIPTS]`: what one receipt costs the notifier.

Orders and payments are published first; then one notifier makes all their documents and sends all mails.
"""

import asyncio
import sys
import time
import uuid

import psutil

from devstack.ports import free_ports
from tests.integration.notifier.messages import paid, placed
from tests.integration.notifier.sink import Sink
from tests.integration.notifier.system import System
from tests.servers import Servers, new_database, servers

RECEIPTS = 1000


async def measure(found: Servers, receipts: int) -> None:
    urls = new_database(found.postgres)
    prefix = f"measure{uuid.uuid4().hex[:8]}."
    system = System(urls, found.bootstrap, prefix, Sink(free_ports(1)[0]))
    await system.open()
    try:
        for n in range(receipts):
            await system.publish(placed(f"o-{n}"), paid(f"o-{n}"))
        process = await system.start()
        began, before = time.monotonic(), sum(psutil.Process(process.pid).cpu_times()[:2])
        sent_before = len(system.sink.taken)
        await system.mails(receipts, timeout_s=300)
        seconds, used = time.monotonic() - began, sum(psutil.Process(process.pid).cpu_times()[:2]) - before
        done = len(system.sink.taken) - sent_before
        print(f"{done} receipts in {seconds:.1f} s: {1000 * used / done:.1f} ms of CPU each")
    finally:
        await system.close()
        found.postgres.drop_database(urls.name)


if __name__ == "__main__":
    with servers() as running:
        asyncio.run(measure(running, int(sys.argv[1]) if len(sys.argv) > 1 else RECEIPTS))
