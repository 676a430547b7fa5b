"""TillPay, a provider that does not exist: the smallest adapter that keeps the whole contract."""

import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec
from pydantic import SecretStr

from shared.envelope import read_json
from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable
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
from shared.settings import ProviderSection

PAGE = 100
SIGNATURE = "x-tillpay-signature"
T = TypeVar("T")


class TillPaySettings(ProviderSection):
    secret_key: SecretStr
    account: str
    base_url: str
    timeout_s: float = 3.0


class Event(msgspec.Struct, frozen=True):
    """What a webhook says: where to look."""

    id: str
    type: str
    account: str
    order_id: str = ""
    charge_id: str = ""


class OrderView(msgspec.Struct, frozen=True):
    order: ProviderOrderFact
    charges: tuple[ChargeFact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()


class Page(msgspec.Struct, Generic[T], frozen=True):
    items: list[T]


class TillPayAdapter:
    name = "tillpay"
    live = False
    capabilities = Capabilities(manual_capture=False, partial_capture=False, void=False, cancel_open=False)
    schedule = Schedule(
        after_verify_s=(0.0, 30.0), while_open_s=(300.0,), attempt_lifetime_s=1800.0, after_close_s=(3600.0,)
    )

    def __init__(self, settings: TillPaySettings) -> None:
        self.account = self.key_id = settings.account
        self._base_url = settings.base_url
        self._secret = settings.secret_key.get_secret_value()
        self._timeout_s = settings.timeout_s
        self._session: aiohttp.ClientSession | None = None

    # --- pure ---------------------------------------------------------------------------------------------

    def check_amount(self, amount: int, currency: str) -> None:
        if currency not in ("EUR", "JPY", "KWD"):
            raise Rejected("currency-not-supported", f"TillPay does not take {currency}")
        if amount < 1:
            raise Rejected("amount-out-of-range", "TillPay takes at least 1")

    def check_refund(self, amount: int, currency: str) -> None:
        self.check_amount(amount, currency)

    def checkout(self, opened: Mapping[str, str]) -> dict[str, object]:  # noqa: ARG002 - it has no secrets
        return {"payUrl": self._base_url}

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str | None]:
        return proof["tillpay_order"], None

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return SIGNATURE in headers

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:  # noqa: ARG002 - it signs no time
        expected = hmac.new(self._secret.encode(), body, sha256).hexdigest()
        if not hmac.compare_digest(headers.get(SIGNATURE, "").encode(), expected.encode()):
            raise Rejected("bad-signature", "wrong")

    def webhook_identity(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:  # noqa: ARG002 - all is in the signed body
        event = _event(body)
        return event.id, event.order_id or event.id

    def read_webhook(self, body: bytes) -> WebhookContent:
        event = _event(body)
        return WebhookContent(
            event_type=event.type,
            account=event.account,
            live=None,
            known=event.type in ("paid", "refunded"),
            provider_order_id=event.order_id or None,
            charge_id=event.charge_id or None,
            hint=True,
        )

    # --- calls --------------------------------------------------------------------------------------------

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        asked = {"reference": request.reference, "amount": request.amount, "currency": request.currency}
        return (await self._write("/orders", asked, request.reference, OrderView)).order

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        found = await self._read("/orders", Page[ProviderOrderFact], reference=request.reference)
        return found.items[0] if found.items else None

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        return (await self._read(f"/orders/{provider_order_id}", OrderView)).order

    async def read(self, provider_order_id: str) -> Seen:
        view = await self._read(f"/orders/{provider_order_id}", OrderView)
        return Seen(charges=view.charges, refunds=view.refunds)

    async def read_charge(self, charge_id: str) -> ChargeFact:
        return await self._read(f"/charges/{charge_id}", ChargeFact)

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        return await self._read(f"/disputes/{dispute_id}", DisputeFact)

    async def capture(self, request: CaptureRequest) -> ChargeFact:  # noqa: ARG002 - it captures by itself
        raise Rejected("capture-refused", "TillPay captures by itself")

    async def cancel(self, provider_order_id: str, key: str) -> Seen:  # noqa: ARG002 - it cannot
        raise Rejected("cancel-refused", "TillPay cannot cancel an order")

    async def refund(self, request: RefundRequest) -> RefundFact:
        asked = {"charge_id": request.charge_id, "amount": request.amount, "reference": request.key}
        try:
            return await self._write("/refunds", asked, request.key, RefundFact)
        except Rejected as refused:
            raise Rejected("refund-refused", refused.detail) from refused

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        refunds = (await self._read(f"/orders/{request.provider_order_id}", OrderView)).refunds
        return next((refund for refund in refunds if refund.reference == request.key), None)

    def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        return self._pages("/charges", ChargeFact, since, until)

    def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        return self._pages("/refunds", RefundFact, since, until)

    def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        return self._pages("/disputes", DisputeFact, since, until)

    def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        return self._pages("/lines", SettlementLine, since, until)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    # --- HTTP ---------------------------------------------------------------------------------------------

    async def _pages(self, path: str, kind: type[T], since: datetime, until: datetime) -> AsyncIterator[T]:
        """Oldest first, so what is made meanwhile comes last and skips nothing."""
        window, skip = {"since": since.isoformat(), "until": until.isoformat(), "count": str(PAGE)}, 0
        while True:
            page = await self._read(path, Page[kind], **window, skip=str(skip))  # type: ignore[valid-type]  # made at run time
            for item in page.items:
                yield item
            if len(page.items) < PAGE:
                return
            skip += PAGE

    async def _read(self, path: str, kind: type[T], **query: str) -> T:
        body = await self._call("GET", path, writes=False, params=query)
        return _decoded(body, kind, writes=False)

    async def _write(self, path: str, asked: object, key: str, kind: type[T]) -> T:
        headers = {"Idempotency-Key": key}
        body = await self._call("POST", path, writes=True, json=asked, headers=headers)
        return _decoded(body, kind, writes=True)

    async def _call(self, method: str, path: str, *, writes: bool, **options: Any) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._secret}"})
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, connect=1.0, ceil_threshold=60)
        try:
            async with self._session.request(
                method, self._base_url + path, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                body = await answer.read()
                after = answer.headers.get("Retry-After", "")
        except aiohttp.ClientConnectorError as error:
            raise Unavailable("provider-unavailable", f"no connection to TillPay: {error}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unclear(f"no whole answer from TillPay: {error}", writes=writes) from error
        if answer.status == 200:
            return body
        raise _classified(answer.status, body, after, writes=writes)


def _classified(status: int, body: bytes, after: str, *, writes: bool) -> PaystreamError:
    if status == 429:
        return Unavailable("provider-rate-limited", "slow down", float(after) if after.isdigit() else 2.0)
    if status in (401, 403):
        return Unavailable("provider-misconfigured", "TillPay refuses our key", 30.0)
    try:
        said = msgspec.json.decode(body, type=dict[str, str])["error"]
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
        return _unclear(f"TillPay answered {status}", writes=writes)
    if status in (400, 404, 422):
        return (NotFound if status == 404 else Rejected)("provider-rejected", said)
    return _unclear(f"TillPay answered {status}: {said}", writes=writes)


def _unclear(detail: str, *, writes: bool) -> PaystreamError:
    if writes:
        return OutcomeUnknown("provider-outcome-unknown", detail)
    return Unavailable("provider-unavailable", detail)


def _decoded(body: bytes, kind: type[T], *, writes: bool) -> T:
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unclear(f"TillPay's answer is no JSON: {error}", writes=writes) from error
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        if writes:
            raise OutcomeUnknown("provider-outcome-unknown", str(error)) from error
        raise Malformed("provider-answer-unreadable", str(error)) from error


def _event(body: bytes) -> Event:
    return read_json(body, msgspec.json.Decoder(Event).decode)
