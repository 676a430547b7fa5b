"""Live statuses: NOTIFY of the projecting transaction wakes, the projection is then read.

A lost NOTIFY costs one heartbeat, never a status.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

from services.gateway.views import PaymentView
from shared.errors import Unavailable
from shared.health import Health

HEARTBEAT_S = 10.0  # well below the idle time-outs of proxies, and the client's own 45 s
STREAM_MAX_S = 600.0  # then the client connects again, with a token that is still valid
RECONNECT_MS = 1000
STOP_LOOK_S = 0.25


class Live:
    """Who waits for a change of which order, in this process."""

    def __init__(self, health: Health, streams_max: int) -> None:
        self._health = health
        self._streams_max = streams_max
        self._streams = 0
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._stopping = False

    def woken(self, order_id: str) -> None:
        """NOTIFY's callback; an empty id means that some may have been missed: everyone looks."""
        waiting = self._waiting.get(order_id, set()) if order_id else set().union(*self._waiting.values())
        for event in waiting:
            event.set()

    async def watch_for_stop(self) -> None:
        """Ends all streams when the service stops, so that it need not wait for them."""
        while "stop" not in self._health.problems:
            await asyncio.sleep(STOP_LOOK_S)
        self._stopping = True
        self.woken("")

    async def changed(self, order_id: str, look: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
        """Whether `look()` becomes true in time; it is asked at once and after each change.

        Each look is ended in its own time: one that is cut short has not said no.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + timeout_s
        with self._watching(order_id) as event:
            while not await look():
                if not await _set_within(event, until - clock()):
                    return False
                event.clear()
        return True

    def stream(self, order_id: str, read: Callable[[], Awaitable[PaymentView]]) -> AsyncIterator[bytes]:
        """Server-Sent Events with every status from now on; Unavailable `overloaded` when too many listen."""
        if self._streams >= self._streams_max:
            raise Unavailable("overloaded", "too many streams are open", retry_after_s=5.0)
        return self._events(order_id, read)

    async def _events(
        self, order_id: str, read: Callable[[], Awaitable[PaymentView]]
    ) -> AsyncIterator[bytes]:
        self._streams += 1
        ends_at = asyncio.get_running_loop().time() + STREAM_MAX_S
        sent = -1
        try:
            with self._watching(order_id) as event:
                yield b"retry: %d\n\n" % RECONNECT_MS
                while not self._stopping and asyncio.get_running_loop().time() < ends_at:
                    event.clear()
                    view = await read()
                    if view.version > sent:
                        sent = view.version
                        yield b"id: %d\ndata: %b\n\n" % (sent, msgspec.json.encode(view))
                    if not await _set_within(event, HEARTBEAT_S):
                        yield b": still here\n\n"
        finally:
            self._streams -= 1

    @contextmanager
    def _watching(self, order_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[order_id].add(event)
        try:
            yield event
        finally:
            self._waiting[order_id].discard(event)
            if not self._waiting[order_id]:
                del self._waiting[order_id]


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
