"""What this machine can do at most: bare HTTP, bare Kafka, and the database work alone, in batches.

`python -m bench.limits http PORT` serves; the other two are functions.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import asyncpg
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

Message = MutableMapping[str, Any]
BATCH = 100  # webhooks per transaction
WRITERS = 4
MESSAGE_BYTES = 2_800  # a 1.7 kB webhook in its envelope: base64 and headers
PARTITIONS = 6

_TABLES = """
    DROP TABLE IF EXISTS inbox, payments, outbox;
    CREATE TABLE inbox (id text PRIMARY KEY, body bytea NOT NULL);
    CREATE TABLE payments (order_id text PRIMARY KEY, status text NOT NULL, version bigint NOT NULL)
        WITH (fillfactor = 80);
    CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, payload bytea);
    ALTER TABLE inbox ALTER body SET STORAGE EXTERNAL;
    ALTER TABLE outbox ALTER payload SET STORAGE EXTERNAL;"""


async def bare_http(
    _scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Reads the body and answers 200."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"21")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"accepted"}'})


async def database_batches(url: str, seconds: float) -> float:
    """Webhooks per second when nothing but their database work is done, in batches, durably."""
    connections = [await asyncpg.connect(url) for _ in range(WRITERS)]
    try:
        await connections[0].execute(_TABLES)
        rows_each = 60_000
        await connections[0].execute(
            "INSERT INTO payments SELECT 'o-' || n, 'pending_payment', 1 FROM generate_series(0, $1) n",
            WRITERS * rows_each,
        )
        await connections[0].execute("CHECKPOINT")
        until = time.monotonic() + seconds
        began = time.monotonic()
        done = await asyncio.gather(
            *(_write(c, n * rows_each, rows_each, until) for n, c in enumerate(connections))
        )
        return sum(done) / (time.monotonic() - began)
    finally:
        await connections[0].execute("DROP TABLE IF EXISTS inbox, payments, outbox")
        for connection in connections:
            await connection.close()


async def _write(connection: asyncpg.Connection, first: int, count: int, until: float) -> int:
    body, event = b"x" * 1_700, b"y" * 900
    done = 0
    while time.monotonic() < until and done + BATCH <= count:
        ids = [f"o-{first + done + i}" for i in range(BATCH)]
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO inbox SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING",
                ids,
                [body] * BATCH,
            )
            await connection.execute(
                "SELECT 1 FROM payments WHERE order_id = ANY($1) ORDER BY order_id FOR NO KEY UPDATE", ids
            )
            await connection.execute(
                "UPDATE payments SET status = 'paid', version = version + 1 WHERE order_id = ANY($1)", ids
            )
            await connection.execute(
                "INSERT INTO outbox (key, payload) SELECT * FROM unnest($1::text[], $2::bytea[])",
                ids,
                [event] * BATCH,
            )
        done += BATCH
    return done


async def bare_produce(bootstrap: str, topic: str, seconds: float) -> float:
    """Messages per second of the size of an accepted webhook, acknowledged, one batch in flight each."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if topic not in await admin.list_topics():
            await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=1_000_000,
        max_request_size=1_000_000,
    )
    await producer.start()
    try:
        began = time.monotonic()
        lanes = [_produce(producer, topic, p, began + seconds) for p in range(PARTITIONS)]
        return sum(await asyncio.gather(*lanes)) / (time.monotonic() - began)
    finally:
        await producer.stop()


async def _produce(producer: AIOKafkaProducer, topic: str, partition: int, until: float) -> int:
    value, done = b"z" * MESSAGE_BYTES, 0
    while time.monotonic() < until:
        batch = producer.create_batch()
        for _ in range(50):
            batch.append(key=b"order_B0000000000001", value=value, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=partition))
        done += 50
    return done


if __name__ == "__main__":
    assert sys.argv[1] == "http", json.dumps(sys.argv)
    uvicorn.run(
        bare_http,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=65,
    )
