"""A provider that takes a fixed time and says how long each call really took: `POST /v1/orders` and no more.

`python -m bench.provider PORT DELAY_S`. The simulator is the faithful one; this one is there because its
own time must be known exactly to be subtracted.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
_numbers = count(1)


class Provider:
    """`took` holds the seconds of each call since they were last asked for at `/took`."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._took: dict[str, float] = {}

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        began = time.monotonic()
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] == "/v1/orders" and scope["method"] == "POST":
            answer = self._order(json.loads(body))
            await asyncio.sleep(self._delay_s)
            await _respond(send, answer)
            self._took[str(answer["id"])] = time.monotonic() - began
        elif scope["path"] == "/took":
            took, self._took = self._took, {}
            await _respond(send, took)
        else:
            await _respond(send, {"entity": "collection", "count": 0, "items": []})

    def _order(self, wanted: dict[str, Any]) -> dict[str, object]:
        """An order entity (Razorpay docs, Orders, Entity)."""
        return {
            "id": f"order_P{next(_numbers):013d}",
            "entity": "order",
            "amount": wanted["amount"],
            "amount_paid": 0,
            "amount_due": wanted["amount"],
            "currency": wanted["currency"],
            "receipt": wanted["receipt"],
            "offer_id": None,
            "status": "created",
            "attempts": 0,
            "notes": [],
            "created_at": int(time.time()),
        }


async def _respond(send: Callable[[Message], Awaitable[None]], answer: object) -> None:
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Provider(float(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=65,
    )
