"""`GET /api/reconciliation/{day}`: what came out of a day's runs, and which mismatches it has."""

import hmac
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler.domain.mismatches import Mismatch, repair
from services.reconciler.domain.runs import ends
from services.reconciler.settings import ApiKey
from services.reconciler.store import mismatches
from services.reconciler.store.book import lowest_checkpoint
from shared.observability import Receive, Scope, Send

PAGE = 500
SCOPE = "payments:read"
PREFIX = "/api/reconciliation/"
_NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()
_METHODS = (b"allow", b"GET, HEAD")


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """The last run of one provider's day; the counts are of charges with money."""

    run_id: str
    provider: str
    account: str
    number: int
    status: str
    requested_at: datetime
    completed_at: datetime | None
    ours: int
    theirs: int
    agreed: int
    mismatches: int


class Day(msgspec.Struct, frozen=True, rename="camel"):
    """`settled`: our own book of this day is complete. `next` continues a long list of mismatches."""

    day: date
    settled: bool
    runs: list[Run]
    mismatches: list[dict[str, Any]]
    next: str | None


class Problem(Exception):
    """An answer that is not what was asked for (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"type": f"about:blank#{code}", "status": status, "code": code, "detail": detail}
        self.headers = headers


class ReconciliationApi:
    """One read-only resource. With API keys configured, a key with the scope `payments:read` is needed."""

    def __init__(self, engine: AsyncEngine, keys: Sequence[ApiKey]) -> None:
        self._engine = engine
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - it takes no body
        try:
            status, kind = 200, b"application/json"
            body, headers = msgspec.json.encode(await self._answer(scope)), _NO_HEADERS
        except Problem as problem:
            status, kind, headers = problem.status, b"application/problem+json", problem.headers
            body = msgspec.json.encode(problem.body)
        fixed = (
            (b"content-type", kind),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        )
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, length, *headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, scope: Scope) -> Day:
        path: str = scope["path"]
        if not path.startswith(PREFIX):
            raise Problem(404, "not-found", "there is only /api/reconciliation/{day}")
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(405, "method-not-allowed", "a reconciliation can only be read", _METHODS)
        self._check_key(scope["headers"])
        day, after = _day(path.removeprefix(PREFIX)), _cursor(scope["query_string"])
        try:
            async with self._engine.connect() as connection:
                return await _read(connection, day, after)
        except (DBAPIError, OSError, TimeoutError) as error:
            detail = "the database does not answer; try again"
            raise Problem(503, "unavailable", detail, (b"retry-after", b"1")) from error

    def _check_key(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if not self._keys:
            return  # development only: production mode refuses to start without keys
        given = dict(headers).get(b"authorization", b"").removeprefix(b"Bearer ")
        known = [k for k in self._keys if hmac.compare_digest(k.key.get_secret_value().encode(), given)]
        if not known:
            raise Problem(401, "unauthorized", "give an API key", (b"www-authenticate", b"Bearer"))
        if not any(SCOPE in k.scopes for k in known):
            raise Problem(403, "scope-missing", f"the key needs the scope {SCOPE}")


def _day(raw: str) -> date:
    if not (raw.isascii() and len(raw) == len("2026-01-31")):
        raise _not_a_day()
    try:
        return datetime.strptime(raw, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise _not_a_day() from error


def _not_a_day() -> Problem:
    return Problem(400, "invalid-request", "the day must look like 2026-01-31")


def _cursor(query: bytes) -> str:
    try:
        return parse_qs(query.decode("ascii")).get("after", [""])[0].replace("\0", "")
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid-request", "the query must be percent-encoded") from error


async def _read(connection: AsyncConnection, day: date, after: str) -> Day:
    until = await lowest_checkpoint(connection)
    rows = (await connection.execute(_RUNS, {"day": day})).mappings()
    runs = [Run(**{name: row[name] for name in Run.__struct_fields__}) for row in rows]
    found = await mismatches.of_day(connection, day, after, PAGE)
    more = found[-1].mismatch_id if len(found) == PAGE else None
    settled = until is not None and until >= ends(day) if day < date.max else False
    return Day(day, settled, runs, [_shown(m) for m in found], more)


def _shown(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "mismatchId": mismatch.mismatch_id,
        "occurrence": mismatch.occurrence,
        "status": "open" if mismatch.open else "resolved",
        "provider": mismatch.provider,
        "account": mismatch.account,
        "kind": mismatch.kind,
        "subject": mismatch.subject,
        "orderId": mismatch.order_id,
        "legs": mismatch.legs,
        "firstSeenAt": mismatch.first_seen_at,
        "resolvedAt": mismatch.resolved_at,
        "proposedRepair": repair(mismatch),
    }


_RUNS = text("""
    SELECT run_id, provider, account, number, CASE WHEN open THEN 'running' ELSE 'completed' END AS status,
           requested_at, completed_at, ours, theirs, agreed, mismatches
    FROM days WHERE day = :day AND number > 0 ORDER BY provider, account""")
