"""The PayPal adapter: what it can do, its schedules, and its calls."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import structlog

from shared.errors import Malformed, NotFound, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import (
    ChargeFact,
    DisputeFact,
    ProviderOrderFact,
    RefundFact,
    Seen,
    SettlementLine,
    WebhookContent,
)
from shared.providers.base import Capabilities, CaptureRequest, OrderRequest, RefundRequest, Schedule
from shared.providers.paypal import amounts, events, reading, signatures
from shared.providers.paypal.calls import Calls, Refused
from shared.providers.paypal.certificates import Certificates
from shared.providers.paypal.entities import Capture, Order, Refund
from shared.providers.paypal.lists import Lists
from shared.settings import PayPalSettings

log = structlog.get_logger()

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)  # of orders, captures, refunds and disputes

T = TypeVar("T")


class PayPalAdapter:
    """One PayPal merchant. The buyer approves an order; our capture is what moves the money."""

    name = "paypal"
    capabilities = Capabilities(
        manual_capture=False, partial_capture=False, void=False, cancel_open=False, capture_on_approval=True
    )
    schedule = Schedule(
        after_verify_s=(0.0, 30.0),
        while_open_s=(
            *(minutes * MINUTE for minutes in (3, 6, 10, 15, 20, 30)),
            *(half_hours * 30 * MINUTE for half_hours in range(2, 13)),
        ),
        attempt_lifetime_s=6 * HOUR,  # 3 h until the buyer comes, 3 h more until our capture
        after_close_s=(HOUR, DAY, 3 * DAY, 7 * DAY),  # an e-cheque takes up to a week
    )

    def __init__(self, settings: PayPalSettings) -> None:
        self.account = settings.account
        self.key_id = settings.client_id
        self.live = settings.live
        self._webhook_id = settings.webhook_id
        self._return_url = settings.return_url
        self._cancel_url = settings.cancel_url
        self._certificates = Certificates(settings.certificate_hosts, settings.certificate_authorities)
        self._calls = Calls(
            settings.client_id,
            settings.client_secret.get_secret_value(),
            settings.base_url,
            settings.timeout_s,
        )
        self._lists = Lists(self._calls)

    @property
    def reported_until(self) -> datetime | None:
        """Up to when PayPal's report had everything when it was last read; it lags by up to three hours."""
        return self._lists.reported_until

    # --- pure ---------------------------------------------------------------------------------------------

    def check_amount(self, amount: int, currency: str) -> None:
        amounts.check(amount, currency)

    def check_refund(self, amount: int, currency: str) -> None:
        amounts.check(amount, currency)

    def checkout(self, opened: Mapping[str, str]) -> dict[str, object]:
        return {"approveUrl": opened.get("approveUrl", "")}

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str | None]:
        """The browser brings an id and nothing that is signed: only our capture proves the approval."""
        return proof["paypal_order_id"], None

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return signatures.SIGNATURE_HEADER in headers

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """No time window: PayPal sends for three days, and repetitions are told by the event's id."""
        sent = signatures.transmission(headers)
        key = await self._certificates.key(sent.certificate_url, now)
        signatures.check(key, sent, self._webhook_id, body)

    def webhook_identity(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:  # noqa: ARG002 - retries have the same event id, not always the same headers
        return events.identity(body)

    def read_webhook(self, body: bytes) -> WebhookContent:
        return events.webhook(body, self.account)

    # --- calls --------------------------------------------------------------------------------------------

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        """Repeating it is harmless: under the same key PayPal gives the same order, for six hours."""
        value = amounts.decimal_text(request.amount, request.currency)
        context = {"user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING"}
        for name, url in (("return_url", self._return_url), ("cancel_url", self._cancel_url)):
            if url:  # PayPal refuses an order whose address is none
                context[name] = _with_order(url, request.order_id)
        unit = {
            "custom_id": request.order_id,
            "invoice_id": request.reference,
            "amount": {"currency_code": request.currency, "value": value},
        }
        body = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": context}},
        }
        opened = await self._calls.post("/v2/checkout/orders", Order, body, request.reference)
        return _done(lambda: reading.order(opened))

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:  # noqa: ARG002 - PayPal has no list of orders
        return None

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        return reading.order(await self._order(provider_order_id))

    async def read(self, provider_order_id: str) -> Seen:
        """An order that PayPal does not know any more is over: it forgets those that nobody approved."""
        try:
            order = await self._order(provider_order_id)
        except NotFound:
            return Seen(provider_order_id=provider_order_id, cancelled=True)
        seen = reading.seen(order)
        found = [await self._disputes_of(charge.charge_id) for charge in seen.charges]
        return msgspec.structs.replace(seen, disputes=tuple(fact for facts in found for fact in facts))

    async def read_charge(self, charge_id: str) -> ChargeFact:
        path = f"/v2/payments/captures/{_id(charge_id)}"
        return reading.charge(await self._calls.get(path, Capture))

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        return await self._lists.dispute(_id(dispute_id))

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        """Takes all of what the buyer approved. Already taken, it is the capture that there is."""
        path = f"/v2/checkout/orders/{_id(request.provider_order_id)}/capture"
        try:
            order = await self._calls.post(path, Order, {}, request.key)
        except Refused as refused:
            if refused.issue == "ORDER_ALREADY_CAPTURED":
                return await self._captured(request)
            code = "instrument-declined" if refused.issue == "INSTRUMENT_DECLINED" else "capture-refused"
            raise Rejected(code, refused.detail) from refused
        except NotFound as unknown:
            raise Rejected("capture-refused", unknown.detail) from unknown
        return _done(lambda: _charge_of(order))

    async def _captured(self, request: CaptureRequest) -> ChargeFact:
        """Money was taken; as long as it cannot be read how, the outcome is unknown."""
        try:
            return _charge_of(await self._order(request.provider_order_id))
        except (Unavailable, Malformed, Rejected) as error:
            raise OutcomeUnknown("provider-outcome-unknown", error.detail) from error

    async def cancel(self, provider_order_id: str, key: str) -> Seen:  # noqa: ARG002 - PayPal has no such call
        raise Rejected("cancel-refused", "PayPal cannot cancel an order; without our capture it lapses")

    async def refund(self, request: RefundRequest) -> RefundFact:
        path = f"/v2/payments/captures/{_id(request.charge_id)}/refund"
        value = amounts.decimal_text(request.amount, request.currency)
        # The reason is the shop's own: PayPal would mail a note to the payer.
        body = {
            "amount": {"currency_code": request.currency, "value": value},
            "invoice_id": request.key,
            "custom_id": request.key,  # both: see `refund_reference`
        }
        try:
            made = await self._calls.post(path, Refund, body, request.key)
        except (Refused, NotFound) as refused:
            raise Rejected("refund-refused", refused.detail) from refused
        fact = _done(lambda: reading.refund(made, request.charge_id, request.currency, request.amount))
        return msgspec.structs.replace(fact, reference=request.key)  # the short answer does not repeat it

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        """Among the refunds that the order lists."""
        seen = reading.seen(await self._order(request.provider_order_id))
        return next((refund for refund in seen.refunds if refund.reference == request.key), None)

    def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        return self._lists.charges(since, until)

    def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        return self._lists.refunds(since, until)

    def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        return self._lists.disputes(since, until)

    def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        return self._lists.settlement_lines(since, until)

    async def close(self) -> None:
        await self._certificates.close()
        await self._calls.close()

    async def _order(self, provider_order_id: str) -> Order:
        return await self._calls.get(f"/v2/checkout/orders/{_id(provider_order_id)}", Order)

    async def _disputes_of(self, charge_id: str) -> list[DisputeFact]:
        """An app that may not see disputes still takes payments; these facts are missing then."""
        try:
            return [fact async for fact in self._lists.disputes_of(_id(charge_id))]
        except Unavailable as refused:
            if refused.code != "provider-misconfigured":
                raise
            log.warning("PayPal lets us see no disputes", charge_id=charge_id, error=refused.detail)
            return []


def _charge_of(order: Order) -> ChargeFact:
    """The capture that took the money, or will; else the last. PayPal promises no order among them."""
    charges = reading.seen(order).charges
    if not charges:
        raise Malformed("provider-answer-unreadable", f"order {order.id} was captured and has no capture")
    return next((charge for charge in charges if charge.state != "failed"), charges[-1])


def _done(read: Callable[[], T]) -> T:
    """The answer to a write. One that cannot be read does not say what was done."""
    try:
        return read()
    except Malformed as error:
        raise OutcomeUnknown("provider-outcome-unknown", error.detail) from error


def _id(given: str) -> str:
    """An id that may stand in a path. Some come from webhooks, whose bodies nothing proves."""
    if not _ID.fullmatch(given):
        raise NotFound("not-found", "this is no id of PayPal's")
    return given


def _with_order(url: str, order_id: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'order': order_id})}"
