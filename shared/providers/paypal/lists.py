"""PayPal's lists: the transaction report, and disputes.

Facts (PayPal docs, Transaction Search): a question spans at most 31 days and 10,000 lines, and shows what is
up to three hours old; unless asked for more, only what affects the balance. (Disputes v1): at most 50 a page,
the next one by its link.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, SettlementLine
from shared.providers.paypal import reports
from shared.providers.paypal.calls import Calls, Refused
from shared.providers.paypal.disputes import dispute
from shared.providers.paypal.entities import (
    Dispute,
    DisputeItem,
    DisputePage,
    TransactionInfo,
    TransactionPage,
)

WINDOW = timedelta(days=31)
WINDOW_MIN = timedelta(seconds=1)  # the report knows seconds
LINES_PER_PAGE = 500  # the maximum
DISPUTES_PER_PAGE = 50  # the maximum
TOO_MANY = "RESULTSET_TOO_LARGE"
# What is pending or denied does not affect the balance.
ALL, ON_BALANCE = ({"balance_affecting_records_only": word} for word in ("N", "Y"))


class Lists:
    """Everything in [since, until), page by page."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.reported_until: datetime | None = None

    async def charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        async for line in self._lines(since, until, ALL):
            if reports.is_charge(line):
                yield reports.charge(line)

    async def refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        async for line in self._lines(since, until, ALL):
            if reports.is_refund(line):
                yield reports.refund(line)

    async def settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        """Only what has moved our balance: pending and denied payments have not."""
        async for line in self._lines(since, until, ON_BALANCE):
            yield reports.settlement_line(line)

    async def disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        async for item in self._dispute_items({"start_time": _text(since)}):
            if item.create_time is None or item.create_time < until:
                yield await self.dispute(item.dispute_id)

    async def disputes_of(self, charge_id: str) -> AsyncIterator[DisputeFact]:
        async for item in self._dispute_items({"disputed_transaction_id": charge_id}):
            yield await self.dispute(item.dispute_id)

    async def dispute(self, dispute_id: str) -> DisputeFact:
        """The list gives a summary; whose money moved stands in the dispute itself."""
        return dispute(await self._calls.get(f"/v1/customer/disputes/{dispute_id}", Dispute))

    async def _dispute_items(self, query: dict[str, str]) -> AsyncIterator[DisputeItem]:
        asked = {**query, "page_size": str(DISPUTES_PER_PAGE)}
        while True:
            page = await self._calls.get("/v1/customer/disputes", DisputePage, asked)
            for item in page.items:
                yield item
            following = next((link.href for link in page.links if link.rel == "next"), "")
            tokens = parse_qs(urlsplit(following).query).get("next_page_token", [])
            if not tokens or tokens[0] == asked.get("next_page_token"):
                return
            asked["next_page_token"] = tokens[0]

    async def _lines(
        self, since: datetime, until: datetime, query: dict[str, str]
    ) -> AsyncIterator[TransactionInfo]:
        """Window by window; one with too many lines for PayPal is halved."""
        windows = [(since, until)]
        while windows:
            start, end = windows.pop()
            if start >= end:
                continue
            if end - start > WINDOW:
                windows += [(start + WINDOW, end), (start, start + WINDOW)]
                continue
            try:
                async for line in self._pages(start, end, query):
                    yield line
            except Refused as refused:
                if refused.issue != TOO_MANY or end - start <= WINDOW_MIN:
                    raise
                half = start + (end - start) / 2
                windows += [(half, end), (start, half)]

    async def _pages(
        self, since: datetime, until: datetime, query: dict[str, str]
    ) -> AsyncIterator[TransactionInfo]:
        asked = {
            **query,
            "start_date": _text(since),
            "end_date": _text(
                max(since, until - WINDOW_MIN)
            ),  # PayPal's end belongs to the window, ours does not
            "fields": "transaction_info",
            "page_size": str(LINES_PER_PAGE),
        }
        number, pages = 1, 1
        while number <= pages:
            page = await self._calls.get(
                "/v1/reporting/transactions", TransactionPage, {**asked, "page": str(number)}
            )
            self.reported_until = page.last_refreshed_datetime or self.reported_until
            for detail in page.transaction_details:
                yield detail.transaction_info
            number, pages = number + 1, page.total_pages


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
