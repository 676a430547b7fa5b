"""The Stripe adapter: what it can do, its schedules, and its calls. An attempt is a PaymentIntent."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from shared.errors import OutcomeUnknown, Rejected
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
from shared.providers.stripe import amounts, events, reading, signatures
from shared.providers.stripe.calls import Calls, Parameters, decoded, done
from shared.providers.stripe.objects import BalanceLine, Charge, Cursor, Dispute, Intent, Page, Payout, Refund
from shared.settings import StripeSettings

PAGE = 100  # the API's maximum (Stripe docs, Pagination)
FIND_BEFORE_S = 300.0  # our clock and Stripe's may differ by so much
FIND_AFTER_S = 7200.0  # a create is sent at once or, after an outage, within an attempt's life
PAID_OUT_AFTER = timedelta(days=35)  # a balance waits a month at most where payouts are monthly
REASON_MAX = 500  # characters of a metadata value (Stripe docs, Metadata)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

T = TypeVar("T")


class StripeAdapter:
    """One Stripe account."""

    name = "stripe"
    capabilities = Capabilities(manual_capture=True, partial_capture=True, void=True, cancel_open=True)
    schedule = Schedule(
        after_verify_s=(0.0, 30.0),
        while_open_s=(5 * MINUTE, 15 * MINUTE),
        attempt_lifetime_s=30 * MINUTE,
        # Nobody can pay a cancelled intent; what is still looked at is a bank debit, which takes days.
        after_close_s=(HOUR, DAY, 3 * DAY, 5 * DAY, 10 * DAY),
    )

    def __init__(self, settings: StripeSettings) -> None:
        secret_key = settings.secret_key.get_secret_value()
        self.account = settings.account
        self.key_id = settings.publishable_key
        self.live = secret_key.startswith(("sk_live_", "rk_live_"))
        self._script = settings.checkout_script
        self._return_url = settings.return_url
        self._webhook_secrets = [s.get_secret_value().encode() for s in settings.webhook_secrets]
        self._calls = Calls(secret_key, settings.base_url, settings.timeout_s)

    # --- pure ---------------------------------------------------------------------------------------------

    def check_amount(self, amount: int, currency: str) -> None:
        amounts.check(amount, currency)

    def check_refund(self, amount: int, currency: str) -> None:
        amounts.check_refund(amount, currency)

    def checkout(self, opened: Mapping[str, str]) -> dict[str, object]:
        return {
            "script": self._script,
            "clientSecret": opened.get("client_secret", ""),
            "returnUrl": _with_order(self._return_url, opened.get(reading.ORDER, "")),
        }

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str | None]:
        return proof["payment_intent"], None  # not signed: only a reason to look

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return signatures.SIGNATURE_HEADER in headers

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        header = headers.get(signatures.SIGNATURE_HEADER, "")
        signatures.verify(header, body, self._webhook_secrets, now)

    def webhook_identity(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:  # noqa: ARG002 - all is in the signed body
        return events.identity(body)

    def read_webhook(self, body: bytes) -> WebhookContent:
        return events.webhook(body, self.account)

    # --- calls --------------------------------------------------------------------------------------------

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        body = {
            "amount": amounts.to_stripe(request.amount, request.currency),
            "currency": request.currency.lower(),
            "automatic_payment_methods": {"enabled": True},
            "capture_method": "automatic" if request.capture_automatically else "manual",
            "metadata": {reading.REFERENCE: request.reference, reading.ORDER: request.order_id},
        }
        # A stored error would be replayed for a day under the first key: one more, never a third.
        key = f"{request.reference}-2" if request.tries else request.reference
        intent = await self._calls.write(Intent, "/v1/payment_intents", key, body)
        return done(lambda: reading.order(intent))

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        asked_at = request.asked_at.timestamp()
        window = {"gte": math.floor(asked_at - FIND_BEFORE_S), "lt": math.ceil(asked_at + FIND_AFTER_S)}
        async for intent in self._pages(Intent, "/v1/payment_intents", created=window):
            if intent.metadata.get(reading.REFERENCE) == request.reference:
                return reading.order(intent)
        return None

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        return reading.order(await self._intent(provider_order_id))

    async def read(self, provider_order_id: str) -> Seen:
        of = {"payment_intent": provider_order_id}
        intent, charges = await asyncio.gather(
            self._intent(provider_order_id),
            self._all(Charge, "/v1/charges", expand=["data.balance_transaction"], **of),
        )
        refunds: list[Refund] = []
        disputes: list[Dispute] = []
        # A refund that failed leaves no trace on its charge, so captured ones are always asked about.
        if any(charge.captured for charge in charges):
            refunds = await self._all(Refund, "/v1/refunds", **of)
        if any(charge.disputed for charge in charges):
            disputes = await self._all(Dispute, "/v1/disputes", **of)
        return reading.seen(
            intent,
            tuple(charges),
            tuple(reading.refund(refund) for refund in refunds if refund.charge),
            tuple(reading.dispute(dispute) for dispute in disputes),
        )

    async def read_charge(self, charge_id: str) -> ChargeFact:
        """A decline that made no charge is known by its intent's id."""
        if charge_id.startswith("pi_"):
            return reading.declined(await self._intent(charge_id))
        path = f"/v1/charges/{charge_id}"
        return reading.charge(await self._calls.read(Charge, path, expand=["balance_transaction"]))

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        return reading.dispute(await self._calls.read(Dispute, f"/v1/disputes/{dispute_id}"))

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        body = {
            "amount_to_capture": amounts.to_stripe(request.amount, request.currency),
            "expand": ["latest_charge.balance_transaction"],
        }
        path = f"/v1/payment_intents/{request.provider_order_id}/capture"
        intent = await self._write(Intent, path, request.key, body, "capture-refused")
        charges = done(lambda: reading.of_intent(intent))
        if not charges:
            raise OutcomeUnknown("provider-outcome-unknown", f"captured, but {intent.id} shows no charge")
        return charges[0]

    async def cancel(self, provider_order_id: str, key: str) -> Seen:
        """Looks first: Stripe could cancel an intent in `processing`, whose money may be on its way."""
        intent = await self._intent(provider_order_id)
        if intent.status in ("processing", "succeeded"):
            raise Rejected("cancel-refused", f"the payment is {intent.status} at Stripe")
        if intent.status == "canceled":
            return await self.read(provider_order_id)
        body = {"cancellation_reason": "abandoned", "expand": ["latest_charge"]}
        path = f"/v1/payment_intents/{provider_order_id}/cancel"
        cancelled = await self._write(Intent, path, key, body, "cancel-refused")
        return done(lambda: reading.seen(cancelled))

    async def refund(self, request: RefundRequest) -> RefundFact:
        body = {
            "charge": request.charge_id,
            "amount": amounts.to_stripe(request.amount, request.currency),
            "metadata": {
                reading.REFERENCE: request.key,
                reading.ORDER: request.order_id,
                "reason": request.reason[:REASON_MAX],
            },
        }
        refund = await self._write(Refund, "/v1/refunds", request.key, body, "refund-refused")
        return done(lambda: reading.refund(refund))

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        async for refund in self._pages(Refund, "/v1/refunds", payment_intent=request.provider_order_id):
            if (refund.metadata or {}).get(reading.REFERENCE) == request.key:
                return reading.refund(refund)
        return None

    # --- lists --------------------------------------------------------------------------------------------

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        wanted = {"created": _window(since, until), "expand": ["data.balance_transaction"]}
        async for charge in self._pages(Charge, "/v1/charges", **wanted):
            yield reading.charge(charge)

    async def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        async for refund in self._pages(Refund, "/v1/refunds", created=_window(since, until)):
            if refund.charge:
                yield reading.refund(refund)

    async def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        async for dispute in self._pages(Dispute, "/v1/disputes", created=_window(since, until)):
            yield reading.dispute(dispute)

    async def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        """A balance transaction does not name its payout: payouts are asked for their lines first, and those
        of the window for older lines, too.
        """
        path, expand = "/v1/balance_transactions", ["data.source"]
        wanted = {"created": _window(since, until), "expand": expand}
        paid_out: set[str] = set()
        async for payout in self._pages(
            Payout, "/v1/payouts", created=_window(since, until + PAID_OUT_AFTER)
        ):
            if not payout.automatic:  # Stripe cannot say what a payout by hand is made of
                continue
            of = wanted if payout.created >= until.timestamp() else {"expand": expand}
            async for line in self._pages(BalanceLine, path, payout=payout.id, **of):
                paid_out.add(line.id)
                yield reading.settlement_line(line, payout.id)
        async for line in self._pages(BalanceLine, path, **wanted):
            if line.id not in paid_out:
                yield reading.settlement_line(line)

    async def close(self) -> None:
        await self._calls.close()

    async def _intent(self, intent_id: str) -> Intent:
        return await self._calls.read(Intent, f"/v1/payment_intents/{intent_id}")

    async def _all(self, kind: type[T], path: str, **wanted: object) -> list[T]:
        return [item async for item in self._pages(kind, path, **wanted)]

    async def _pages(self, kind: type[T], path: str, **wanted: object) -> AsyncIterator[T]:
        """Every item, newest first: what is made meanwhile comes before the cursor and skips none."""
        cursor: dict[str, object] = {}
        while True:
            page = await self._calls.read(Page, path, limit=PAGE, **wanted, **cursor)
            for raw in page.data:
                yield decoded(kind, raw)
            if not page.has_more or not page.data:
                return
            cursor = {"starting_after": decoded(Cursor, page.data[-1]).id}

    async def _write(self, kind: type[T], path: str, key: str, body: Parameters, refusal: str) -> T:
        """A call that moves money; what Stripe refuses is Rejected with this code."""
        try:
            return await self._calls.write(kind, path, key, body)
        except Rejected as refused:
            raise Rejected(refusal, refused.detail) from refused


def _window(since: datetime, until: datetime) -> dict[str, int]:
    """Stripe's times are whole seconds, cut off."""
    return {"gte": math.ceil(since.timestamp()), "lt": math.ceil(until.timestamp())}


def _with_order(url: str, order_id: str) -> str:
    if not url or not order_id:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'order': order_id})}"
