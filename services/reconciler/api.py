"""`GET /api/reconciliation/{day}` or `{day}..{day}`: what came out of its runs, as JSON, `.html`, `.csv`."""

import hmac
from collections.abc import Sequence
from datetime import UTC, date, datetime
from urllib.parse import parse_qs

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reconciler import report
from services.reconciler.period import DAYS_MAX, Periods
from services.reconciler.settings import ApiKey
from shared.database import AWAY
from shared.envelope import now_utc
from shared.observability import Receive, Scope, Send

SCOPE = "payments:read"
PREFIX = "/api/reconciliation/"
_NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()
_METHODS = (b"allow", b"GET, HEAD")
_JSON = b"application/json"
_HTML = b"text/html; charset=utf-8"
_FORMS = ("html", "csv")
_CSV = b"text/csv; charset=utf-8; header=present"


class Problem(Exception):
    """An answer that is not what was asked for (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"type": f"about:blank#{code}", "status": status, "code": code, "detail": detail}
        self.headers = headers


class ReconciliationApi:
    """One read-only resource. With API keys configured, a key with the scope `payments:read` is needed."""

    def __init__(
        self, engine: AsyncEngine, keys: Sequence[ApiKey], without_settlements: frozenset[str] = frozenset()
    ) -> None:
        self._keys = keys
        self._periods = Periods(engine, without_settlements)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - it takes no body
        headers = _NO_HEADERS
        try:
            status, (kind, body) = 200, await self._answer(scope)
        except Problem as problem:
            status, kind, headers = problem.status, b"application/problem+json", problem.headers
            body = msgspec.json.encode(problem.body)
        fixed = (
            (b"content-type", kind),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
            (b"referrer-policy", b"no-referrer"),
        )
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, length, *headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, scope: Scope) -> tuple[bytes, bytes]:
        path: str = scope["path"]
        if not path.startswith(PREFIX):
            raise Problem(404, "not-found", "there is only /api/reconciliation/{day} and {day}..{day}")
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(405, "method-not-allowed", "a reconciliation can only be read", _METHODS)
        self._check_key(scope["headers"])
        since, until, form = _asked(path.removeprefix(PREFIX))
        after, now = _cursor(scope["query_string"]), now_utc()
        try:
            if not form:
                page = await self._periods.read(since, until, after, now)
                return _JSON, msgspec.json.encode(page)
            whole = await self._periods.whole(since, until, now)
        except AWAY as error:
            detail = "the database does not answer; try again"
            raise Problem(503, "unavailable", detail, (b"retry-after", b"1")) from error
        if form == "html":
            return _HTML, report.html(whole, now).encode()
        return _CSV, report.table(whole).encode()

    def _check_key(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if not self._keys:
            return  # development only: production mode refuses to start without keys
        given = dict(headers).get(b"authorization", b"").removeprefix(b"Bearer ")
        known = [k for k in self._keys if hmac.compare_digest(k.key.get_secret_value().encode(), given)]
        if not known:
            raise Problem(401, "unauthorized", "give an API key", (b"www-authenticate", b"Bearer"))
        if not any(SCOPE in k.scopes for k in known):
            raise Problem(403, "scope-missing", f"the key needs the scope {SCOPE}")


def _asked(name: str) -> tuple[date, date, str]:
    """First day, last day, form; a day alone is both."""
    name, form = next(((name.removesuffix(f".{f}"), f) for f in _FORMS if name.endswith(f".{f}")), (name, ""))
    if name.count(".") not in (0, 2):
        raise Problem(404, "not-found", "a day or a period is shown as JSON, .html or .csv")
    first, dots, last = name.partition("..")
    since = _day(first)
    until = _day(last) if dots else since
    if not 0 <= (until - since).days < DAYS_MAX:
        raise Problem(400, "invalid-request", f"a period has 1 to {DAYS_MAX} days, the earlier one first")
    return since, until, form


def _day(raw: str) -> date:
    try:
        day = datetime.strptime(raw, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise _not_a_day() from error
    if raw != day.isoformat() or day == date.max:
        raise _not_a_day()
    return day


def _not_a_day() -> Problem:
    return Problem(
        400, "invalid-request", "a day looks like 2026-01-31, a period like 2026-01-25..2026-01-31"
    )


def _cursor(query: bytes) -> str:
    try:
        return parse_qs(query.decode("ascii")).get("after", [""])[0].replace("\0", "")
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid-request", "the query must be percent-encoded") from error
