"""Every API call of every provider passes here: recorded, acted on once, then answered or not.

What a call did is on disk before its answer leaves; a fault may strike before or after the act.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec
from aiohttp import web

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger, Row
from devstack.simulator.misbehaviour import COMMON, CallPlan, Misbehaviour

HTML_ERROR = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
DRIPS = 20  # pieces of an answer that drips
_PAGES = {"status_500_html": "500 Internal Server Error", "status_502": "502 Bad Gateway"}


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived, as far as a provider's handler may look."""

    method: str
    path: str
    params: dict[str, str]
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's own answer; `answered` is told when it has left or was lost."""

    status: int
    body: bytes
    result: str | None = None
    answered: Callable[[], None] | None = None
    headers: dict[str, str] = {}
    content_type: str = "application/json"


class Call(Row, frozen=True, kw_only=True):
    """One API call as the checkers read it."""

    provider: str
    method: str
    path: str
    query: str
    route: str
    identity: str
    body_sha256: str | None
    idempotency_key: str | None
    at: float
    acted: bool
    status: int | None  # the status that was, or would have been, answered
    result: str | None  # the id of the object that it made or returned
    answer: Literal["sent", "dropped"]
    fault: str | None = None
    delay_s: float = 0.0


class Api(Protocol):
    """What a provider tells the gate about itself."""

    name: str
    idempotency_header: str

    def refuse(self, call: ApiCall) -> Answer | None:
        """The answer to a call that may not enter, None when it may."""
        ...

    def error(self, status: int) -> Answer:
        """The provider's own error body for a made-up failure."""
        ...

    def identity(self, call: ApiCall) -> str:
        """The call in words that do not change from run to run."""
        ...

    def pay(self, answer: Answer, form: dict[str, object]) -> None:
        """Pays what a call has just made, for answers held back while a webhook goes out."""
        ...


Handler = Callable[[ApiCall, Entry], Answer]
# Told of a made-up 500 before it leaves, with the answer that it hides, or None where nothing was done:
# for a provider that keeps answers under a key and would replay this one too.
Struck = Callable[[ApiCall, Entry, Answer | None], None]


class Gate:
    """Wraps handlers into routes."""

    def __init__(self, ledger: Ledger, clock: Clock, misbehaviour: Misbehaviour) -> None:
        self._ledger = ledger
        self._clock = clock
        self._misbehaviour = misbehaviour
        self.calls = ledger.table(COMMON, "call", Call)

    def recount(self) -> None:
        """After a restart, draws go on where they were."""
        for call in self.calls:
            if call.at >= self._misbehaviour.set_at:
                self._misbehaviour.remember(f"api {call.method} {call.route}", call.identity)

    def route(
        self, api: Api, path: str, handler: Handler, struck: Struck | None = None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """An aiohttp handler for one route of a provider's API."""

        async def serve(request: web.Request) -> web.StreamResponse:
            call = ApiCall(
                method=request.method,
                path=request.path,
                params=dict(request.match_info),
                query={key: request.query.getall(key) for key in request.query},
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
            )
            return await self._serve(api, path, handler, call, request, struck)

        return serve

    async def _serve(
        self,
        api: Api,
        path: str,
        handler: Handler,
        call: ApiCall,
        request: web.Request,
        struck: Struck | None,
    ) -> web.StreamResponse:
        identity = api.identity(call)
        plan = self._misbehaviour.for_call(call.method, call.path, route=path, identity=identity)
        answer = self._act(api, path, handler, call, request, identity, plan, struck)
        await self._ledger.durable()
        try:
            if plan.pay is not None:
                api.pay(answer, plan.pay)
                await self._ledger.durable()
            if plan.delay_s > 0:
                await asyncio.sleep(plan.delay_s)
            if plan.error in ("truncate", "drip"):
                return await _in_pieces(answer, plan, request)
            return _respond(api, answer, plan, request)
        finally:
            if answer.answered is not None:
                answer.answered()

    def _act(
        self,
        api: Api,
        path: str,
        handler: Handler,
        call: ApiCall,
        request: web.Request,
        identity: str,
        plan: CallPlan,
        struck: Struck | None,
    ) -> Answer:
        """Does the work and writes it together with the call, as one line."""
        with self._ledger.entry(f"{call.method} {path}") as entry:
            refused = api.refuse(call)
            acted = refused is None and not plan.before
            if refused is not None:
                answer = refused
            elif plan.before:
                answer = api.error(500)
            else:
                answer = handler(call, entry)
            if struck is not None and refused is None and plan.error == "status_500":
                struck(call, entry, answer if acted else None)
            entry.put(self.calls, self._row(api, path, call, request, identity, plan, answer, acted))
        return answer

    def _row(
        self,
        api: Api,
        path: str,
        call: ApiCall,
        request: web.Request,
        identity: str,
        plan: CallPlan,
        answer: Answer,
        acted: bool,
    ) -> Call:
        dropped = plan.error in ("act_then_drop", "drop_before")
        return Call(
            id=f"call_{len(self.calls) + 1:06d}",
            provider=api.name,
            method=call.method,
            path=call.path,
            query=request.query_string,
            route=path,
            identity=identity,
            body_sha256=hashlib.sha256(call.body).hexdigest() if call.body else None,
            idempotency_key=call.headers.get(api.idempotency_header),
            at=self._clock.now(),
            acted=acted,
            status=_status(plan, answer),
            result=answer.result,
            answer="dropped" if dropped else "sent",
            fault=plan.error,
            delay_s=plan.delay_s,
        )


def _status(plan: CallPlan, answer: Answer) -> int:
    if plan.error is not None and plan.error.startswith("status_"):
        return int(plan.error.split("_")[1])
    return answer.status


async def _in_pieces(answer: Answer, plan: CallPlan, request: web.Request) -> web.StreamResponse:
    """The true answer, byte by byte or only its first half; who asked may have gone meanwhile."""
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if plan.error == "truncate":
            await response.write(answer.body[: len(answer.body) // 2])
            if request.transport is not None:
                request.transport.close()
            return response
        size = max(1, len(answer.body) // DRIPS)
        for start in range(0, len(answer.body), size):
            await response.write(answer.body[start : start + size])
            await asyncio.sleep(plan.drip_s / DRIPS)
        await response.write_eof()
    return response


def _respond(api: Api, answer: Answer, plan: CallPlan, request: web.Request) -> web.StreamResponse:
    if plan.error in ("act_then_drop", "drop_before"):
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    if plan.error in _PAGES:
        page = HTML_ERROR.format(_PAGES[plan.error])
        return web.Response(status=_status(plan, answer), text=page, content_type="text/html")
    if plan.error is not None:
        answer = api.error(_status(plan, answer))
    headers = dict(answer.headers)
    if plan.error == "status_429" and plan.retry_after_s is not None:
        headers["Retry-After"] = str(plan.retry_after_s)
    body = answer.body
    if plan.alter is not None:
        body = msgspec.json.encode({**msgspec.json.decode(body, type=dict), **plan.alter})
    return web.Response(status=answer.status, body=body, headers=headers, content_type=answer.content_type)
