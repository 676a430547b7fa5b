"""The Razorpay adapter: what it can do, its schedules, and its calls."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from shared.errors import Malformed, OutcomeUnknown, Rejected
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
from shared.providers.razorpay import amounts, events, reading
from shared.providers.razorpay.calls import Calls
from shared.providers.razorpay.entities import Dispute, Order, Payment, Refund, ReportLine, Settlement
from shared.providers.razorpay.signatures import (
    SIGNATURE_HEADER,
    checkout_signature,
    matches,
    webhook_signature,
)
from shared.settings import RazorpaySettings

PAGE = 100  # the API's maximum (Razorpay docs, Pagination)
REPORT_PAGE = 1000  # of the settlement report (Razorpay docs, Settlement Recon)
INDIA = ZoneInfo("Asia/Kolkata")  # days of that report
AUTOMATIC_EXPIRY_MIN = 12  # minutes; the least that `automatic_expiry_period` takes
MANUAL_EXPIRY_MIN = 7200  # minutes, five days: the most that `manual_expiry_period` takes

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

T = TypeVar("T")
Call = Callable[[Any, dict[str, Any]], Any]  # (SDK client, options) -> its answer


class RazorpayAdapter:
    """One Razorpay account."""

    name = "razorpay"
    capabilities = Capabilities(manual_capture=True, partial_capture=False, void=False, cancel_open=False)
    schedule = Schedule(
        after_verify_s=(0.0, 30.0),
        while_open_s=(5 * MINUTE, 15 * MINUTE),
        attempt_lifetime_s=30 * MINUTE,
        after_close_s=(15 * MINUTE, HOUR, DAY, 3 * DAY, 5 * DAY),  # late authorisations come up to days later
    )

    def __init__(self, settings: RazorpaySettings) -> None:
        self.account = settings.account
        self.key_id = settings.key_id
        self.live = settings.key_id.startswith("rzp_live_")
        self._script = settings.checkout_script
        self._key_secret = settings.key_secret.get_secret_value().encode()
        self._webhook_secrets = [s.get_secret_value().encode() for s in settings.webhook_secrets]
        self._calls = Calls(
            settings.key_id, settings.key_secret.get_secret_value(), settings.base_url, settings.timeout_s
        )

    # --- pure ---------------------------------------------------------------------------------------------

    def check_amount(self, amount: int, currency: str) -> None:
        amounts.check(amount, currency)

    def check_refund(self, amount: int, currency: str) -> None:
        amounts.check(amount, currency)

    def checkout(self, opened: Mapping[str, str]) -> dict[str, object]:  # noqa: ARG002 - Razorpay's answer has no secret for the browser
        return {"script": self._script}

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str | None]:
        order_id, payment_id = proof["razorpay_order_id"], proof["razorpay_payment_id"]
        expected = checkout_signature(self._key_secret, order_id, payment_id)
        if not matches(proof["razorpay_signature"], [expected]):
            raise Rejected("bad-signature", "the checkout's signature does not hold")
        return order_id, payment_id

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return SIGNATURE_HEADER in headers

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:  # noqa: ARG002 - the signature has no time
        given = headers.get(SIGNATURE_HEADER, "")
        if not given:
            raise Rejected("bad-signature", "missing")
        if not matches(given, (webhook_signature(s, body) for s in self._webhook_secrets)):
            raise Rejected("bad-signature", "wrong")

    def webhook_identity(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:  # noqa: ARG002 - the id header is not signed
        return sha256(body).hexdigest(), events.references(body)

    def read_webhook(self, body: bytes) -> WebhookContent:
        return events.webhook(body)

    # --- calls --------------------------------------------------------------------------------------------

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        body = {
            "amount": request.amount,
            "currency": request.currency,
            "receipt": request.reference,
            "notes": {"order_id": request.order_id},
            "payment": {
                "capture": "automatic" if request.capture_automatically else "manual",
                "capture_options": {
                    "automatic_expiry_period": AUTOMATIC_EXPIRY_MIN,
                    "manual_expiry_period": MANUAL_EXPIRY_MIN,
                    "refund_speed": "normal",
                },
            },
        }
        answer = await self._calls.run(lambda c, o: c.order.create(body, **o), writes=True)
        return self._done(lambda: reading.order(_as(answer, Order)))  # else found by its receipt

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        answer = await self._read(lambda c, o: c.order.all({"receipt": request.reference}, **o))
        found = [reading.order(_as(item, Order)) for item in _items(answer)]
        return next((fact for fact in found if fact.reference == request.reference), None)

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        answer = await self._read(lambda c, o: c.order.fetch(provider_order_id, **o))
        return reading.order(_as(answer, Order))

    async def read(self, provider_order_id: str) -> Seen:
        answer = await self._read(lambda c, o: c.order.payments(provider_order_id, **o))
        payments = [_as(item, Payment) for item in _items(answer)]
        # A refund that failed leaves no trace on its payment, so captured ones are always asked about.
        some = [p for p in payments if p.amount_refunded or p.status == "captured"]
        refunds = [r for p in some for r in await self._refunds(p.id)]
        return Seen(charges=tuple(reading.charge(p) for p in payments), refunds=tuple(refunds))

    async def read_charge(self, charge_id: str) -> ChargeFact:
        answer = await self._read(lambda c, o: c.payment.fetch(charge_id, **o))
        return reading.charge(_as(answer, Payment))

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        answer = await self._read(lambda c, o: c.dispute.fetch(dispute_id, **o))
        return reading.dispute(_as(answer, Dispute))

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        body = {"currency": request.currency}  # a fresh dict: the SDK writes the amount into it
        answer = await self._write(
            lambda c, o: c.payment.capture(request.charge_id, request.amount, body, **o), "capture-refused"
        )
        return self._done(lambda: reading.charge(_as(answer, Payment)))

    async def cancel(self, provider_order_id: str, key: str) -> Seen:  # noqa: ARG002 - Razorpay has no such call
        raise Rejected("cancel-refused", "Razorpay cannot cancel an order or give an authorisation back")

    async def refund(self, request: RefundRequest) -> RefundFact:
        body = {
            "amount": request.amount,
            "speed": "normal",
            "receipt": request.key,
            "notes": {"order_id": request.order_id, "reason": request.reason[:256]},
        }
        key = {"X-Refund-Idempotency": request.key}
        answer = await self._write(
            lambda c, o: c.payment.refund(request.charge_id, body, headers=key, **o), "refund-refused"
        )
        return self._done(lambda: reading.refund(_as(answer, Refund)))

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        refunds = await self._refunds(request.charge_id)
        return next((r for r in refunds if r.reference == request.key), None)

    async def _refunds(self, charge_id: str) -> list[RefundFact]:
        pages = self._pages(lambda c, q, o: c.payment.fetch_multiple_refund(charge_id, q, **o), {}, PAGE)
        return [reading.refund(_as(item, Refund)) async for item in pages]

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        async for item in self._pages(lambda c, q, o: c.payment.all(q, **o), _window(since, until), PAGE):
            yield reading.charge(_as(item, Payment))

    async def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        async for item in self._pages(lambda c, q, o: c.refund.all(q, **o), _window(since, until), PAGE):
            yield reading.refund(_as(item, Refund))

    async def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        async for item in self._pages(lambda c, q, o: c.dispute.all(q, **o), _window(since, until), PAGE):
            yield reading.dispute(_as(item, Dispute))

    async def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        """The settlement report knows days in Indian time; lines outside of the window are left out.

        What a settlement sent to our bank is not in it: settlements are listed for that.
        """
        day, last = since.astimezone(INDIA).date(), until.astimezone(INDIA).date()
        while day <= last:
            query = {"year": day.year, "month": day.month, "day": day.day}
            async for item in self._pages(lambda c, q, o: c.settlement.report(q, **o), query, REPORT_PAGE):
                line = reading.settlement_line(_as(item, ReportLine))
                if since <= line.at < until:
                    yield line
            day += timedelta(days=1)
        async for item in self._pages(lambda c, q, o: c.settlement.all(q, **o), _window(since, until), PAGE):
            settlement = _as(item, Settlement)
            if settlement.status == "processed":
                yield reading.payout(settlement)

    async def _pages(
        self, call: Callable[[Any, dict[str, Any], dict[str, Any]], Any], query: dict[str, int], page: int
    ) -> AsyncIterator[object]:
        """Every item, by `skip` over a closed window: a short page is the last one."""
        skip = 0
        while True:
            wanted = {**query, "count": page, "skip": skip}
            items = _items(await self._read(lambda c, o: call(c, wanted, o)))  # noqa: B023 - awaited here
            for item in items:
                yield item
            if len(items) < page:
                return
            skip += page

    async def close(self) -> None:
        self._calls.close()

    async def _read(self, call: Call) -> Any:
        return await self._calls.run(call, writes=False)

    async def _write(self, call: Call, refusal: str) -> Any:
        """A call that moves money; what Razorpay refuses is Rejected with this code."""
        try:
            return await self._calls.run(call, writes=True)
        except Rejected as refused:
            raise Rejected(refusal, refused.detail) from refused

    @staticmethod
    def _done(read: Callable[[], T]) -> T:
        """The answer to a write. One that cannot be read does not say what was done."""
        try:
            return read()
        except Malformed as error:
            raise OutcomeUnknown("provider-outcome-unknown", error.detail) from error


def _window(since: datetime, until: datetime) -> dict[str, int]:
    return {"from": int(since.timestamp()), "to": int(until.timestamp()) - 1}


def _as(value: object, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Malformed("provider-answer-unreadable", f"Razorpay's answer: {error}") from error


def _items(answer: object) -> list[object]:
    if isinstance(answer, dict) and isinstance(answer.get("items"), list):
        return list(answer["items"])
    raise Malformed("provider-answer-unreadable", "Razorpay's answer is not a collection")
