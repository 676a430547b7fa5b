"""`GET /api/payments`: everything that changed, for shops without Kafka. A cursor that misses nothing."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from litestar import get

from services.gateway.checkout import Asked
from services.gateway.reading import Cursor, Payments
from services.gateway.views import PaymentDetails, View, for_server
from shared.errors import Rejected

PAGE = 100
PAGE_MAX = 1000
_PARAMETERS = frozenset({"updatedSince", "cursor", "limit"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,12})\.([A-Za-z0-9_-]{0,40})", re.ASCII)
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)


class ChangesAnswer(View, frozen=True, kw_only=True):
    """`cursor` continues from here, now or tomorrow; `more`: there is more, even if this page is empty."""

    payments: list[PaymentDetails]
    cursor: str
    more: bool


@get(
    "/api/payments",
    access="payments:read",
    refuses="wrong-value unknown-parameter cursor-invalid database-unavailable",
    query={"updatedSince": "RFC 3339", "cursor": "of an earlier answer", "limit": "1 to 1000"},
    summary="Payments that changed, oldest change first",
    description="Start with updatedSince, then repeat with the cursor of the answer before. "
    "An order that changes again appears again. Histories are left out.",
)
async def changes(request: Asked, payments: Payments) -> ChangesAnswer:
    query = read_query(request.scope["query_string"])
    since, cursor = query.get("updatedSince"), query.get("cursor")
    after = Cursor(0, "", read_time(since)) if cursor is None else read_cursor(cursor)
    page = await payments.changed(after, read_limit(query.get("limit")))
    return ChangesAnswer(
        payments=[for_server(p) for p in page.payments], cursor=write_cursor(page.cursor), more=page.more
    )


def read_query(raw: bytes) -> dict[str, str]:
    """Known parameters, each once."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError:
        raise Rejected("wrong-value", "the query cannot be read") from None
    query = dict(pairs)
    if len(query) != len(pairs) or not set(query) <= _PARAMETERS:
        raise Rejected("unknown-parameter", "known are updatedSince, cursor and limit, each once")
    return query


def read_time(value: str | None) -> datetime:
    if value is None:
        return _FIRST
    if not _TIME.fullmatch(value):
        raise Rejected("wrong-value", "updatedSince: not a time like 2026-03-01T00:00:00Z; write + as %2B")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise Rejected("wrong-value", "updatedSince: there is no such time") from None
    if not _FIRST.year <= time.year < _LAST.year:
        raise Rejected("wrong-value", "updatedSince: out of range")
    return time


def read_limit(value: str | None) -> int:
    if value is None:
        return PAGE
    if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= PAGE_MAX):
        raise Rejected("wrong-value", f"limit: 1 to {PAGE_MAX}")
    return int(value)


def write_cursor(cursor: Cursor) -> str:
    return f"{cursor.transaction}.{int(cursor.since.timestamp())}.{cursor.order_id}"


def read_cursor(value: str) -> Cursor:
    match = _CURSOR.fullmatch(value)
    try:
        transaction, since, order_id = match.groups() if match else ("", "", "")
        return Cursor(int(transaction), order_id, datetime.fromtimestamp(int(since), UTC))
    except (ValueError, OverflowError):
        raise Rejected("cursor-invalid", "use the cursor of an earlier answer") from None
