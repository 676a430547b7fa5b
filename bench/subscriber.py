"""A subscriber of `payments.events`, a process of its own: which orders were paid, and when it heard.

`python -m bench.subscriber BOOTSTRAP TOPIC PARTITIONS OUT` prints `ready`, answers each line `count` with
the number of distinct orders so far, and ends at the line `stop` with one line of JSON.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from array import array
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.workload import order_id

PAID = b'"payments.payment_paid.v1"'
PREFIX = order_id(0)[:6].encode()


class Subscriber:
    """Notes the first time of each order's `PaymentPaid`, and counts the others."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}
        self.repeats = 0

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=200)
            now = time.monotonic()
            for records in batches.values():
                for record in records:
                    self._note(record.key, record.value, now)

    def _note(self, key: bytes, value: bytes, now: float) -> None:
        if not key.startswith(PREFIX) or PAID not in value:
            return
        n = int(key[6:])
        if n in self.seen:
            self.repeats += 1
        else:
            self.seen[n] = now


def keep(seen: dict[int, float], out: Path) -> None:
    out.write_bytes(array("q", seen).tobytes() + array("d", seen.values()).tobytes())


async def main(bootstrap: str, topic: str, count: str, out: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, group_id=None)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, p) for p in range(int(count))]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        subscriber = Subscriber()
        gc.freeze()
        cpu_before_s = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        running = asyncio.create_task(subscriber.run(consumer))
        print("ready", flush=True)
        while (line := (await asyncio.to_thread(sys.stdin.readline)).strip()) == "count":
            print(len(subscriber.seen), flush=True)
        assert line in ("stop", "")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await consumer.stop()
    keep(subscriber.seen, Path(out))
    cpu_s = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - cpu_before_s
    print(
        json.dumps({"paid": len(subscriber.seen), "repeats": subscriber.repeats, "cpu_s": cpu_s}), flush=True
    )


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:5]))
