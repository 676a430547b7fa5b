"""The one call that a shop's server makes: tell Paystream of an order, get the buyer's checkout token."""

import asyncio
import logging
import time

import aiohttp

from devstack.shop.basket import Line
from devstack.shop.sessions import Order

log = logging.getLogger("shop")

CALL_TIMEOUT_S = 12  # the gateway answers within 10 s, if only with 202
PATIENCE_S = 20  # a person looks at a loading page for about as long
PAUSE_S = 0.5
PASSING_STATUSES = {202, 408, 425, 429, 502, 503, 504}


class PaymentsAway(Exception):
    """No answer in time. The order may be known there or not; telling it again is harmless."""


class OrderRefused(Exception):
    """The gateway said no, and would again."""


class Payments:
    """Paystream, as this shop's server sees it."""

    def __init__(self, session: aiohttp.ClientSession, gateway: str, api_key: str) -> None:
        self._session = session
        self._url = f"{gateway}/api/orders"
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def place(self, order: Order) -> str:
        """Makes the order payable and returns a fresh checkout token; the same order again is harmless."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            token = await self._tell(order)
            if token is not None:
                return token
            if time.monotonic() > give_up_at:
                raise PaymentsAway
            await asyncio.sleep(PAUSE_S)

    async def _tell(self, order: Order) -> str | None:
        """The token, or None for trouble that passes."""
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        try:
            async with self._session.post(
                self._url, json=content_of(order), headers=self._headers, timeout=timeout
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("gateway away: %s", type(error).__name__)
            return None
        if response.status in PASSING_STATUSES:
            return None
        if response.status >= 300:
            log.error("order %s refused: %s %s", order.order_id, response.status, answer.get("code"))
            raise OrderRefused(answer.get("detail") or answer.get("title") or "")
        return str(answer["checkoutToken"])


def content_of(order: Order) -> dict[str, object]:
    """The order in the gateway's words."""
    return {
        "orderId": order.order_id,
        "amount": order.amount,
        "currency": order.market.currency,
        "customer": {"name": order.customer.name, "email": order.customer.email},
        "locale": order.market.locale,
        "lines": [_line_content(line) for line in order.lines],
    }


def _line_content(line: Line) -> dict[str, object]:
    # Indian shelf prices hold their GST, so the tax is a part of the amount.
    tax = round(line.amount * line.tax_rate / (100 + line.tax_rate))
    return {
        "name": line.name,
        "quantity": line.quantity,
        "unitAmount": line.unit_amount,
        "taxRate": str(line.tax_rate),
        "taxAmount": tax,
    }
