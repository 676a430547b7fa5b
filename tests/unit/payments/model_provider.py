"""A provider in memory, one for each way in which real ones work, whose calls may act and never answer.

As strict as the strictest: where a provider does not promise that a repetition is harmless, it does it twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from msgspec.structs import replace

from shared.errors import OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import (
    ChargeFact,
    ChargeState,
    ProviderOrderFact,
    RefundFact,
    RefundState,
    Seen,
    WebhookContent,
)
from shared.providers.base import CaptureRequest, OrderRequest, RefundRequest

Kind = Literal["razorpay", "stripe", "paypal"]
Fate = Literal["answers", "acts and is silent", "is silent", "is away"]
T = TypeVar("T")

BY_KEY: tuple[Kind, ...] = ("stripe", "paypal")  # the same key again gives what the first call made


@dataclass
class ModelOrder:
    """`approved`: the buyer agreed; `declines`: with an instrument that has no money for the capture."""

    request: OrderRequest
    approved: bool = False
    declines: bool = False
    cancelled: bool = False


@dataclass
class ModelProvider:
    """The truth about money, and the webhooks that are on their way. `fate` is that of the next call."""

    name: Kind
    account: str = "acc_1"
    fate: Fate = "answers"
    orders: dict[str, ModelOrder] = field(default_factory=dict)
    charges: dict[str, ChargeFact] = field(default_factory=dict)
    refunds: dict[str, RefundFact] = field(default_factory=dict)
    captured_by: dict[str, str] = field(default_factory=dict)  # our key → charge
    webhooks: list[WebhookContent] = field(default_factory=list)
    writes: int = 0

    # --- what our adapters offer --------------------------------------------------------------------------

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        return self._call(lambda: None if self.name == "paypal" else self._order_of(request.reference))

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        return self._call(lambda: self._opened(request))

    async def read(self, provider_order_id: str) -> Seen:
        return self._call(lambda: self._seen(provider_order_id))

    async def read_charge(self, charge_id: str) -> ChargeFact:
        return self._call(lambda: self.charges[charge_id])

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        return self._call(lambda: self._take(request) if request.charge_id else self._take_approved(request))

    async def cancel(self, provider_order_id: str, key: str) -> Seen:  # noqa: ARG002 - harmless to repeat
        return self._call(lambda: self._cancelled(provider_order_id))

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        return self._call(lambda: self._refund_of(request.key))

    async def refund(self, request: RefundRequest) -> RefundFact:
        return self._call(lambda: self._give_back(request.charge_id, request.amount, request.key))

    def _call(self, act: Callable[[], T]) -> T:
        """One call with its fate; only a silent one leaves the caller in doubt."""
        if self.fate == "is away":
            raise Unavailable("provider-unavailable", "it said so")
        if self.fate == "is silent":
            raise OutcomeUnknown("provider-outcome-unknown", "nothing came back")
        done = act()
        if self.fate == "acts and is silent":
            raise OutcomeUnknown("provider-outcome-unknown", "nothing came back")
        return done

    # --- what it does -------------------------------------------------------------------------------------

    def _order_of(self, reference: str) -> ProviderOrderFact | None:
        found = (id_ for id_, order in self.orders.items() if order.request.reference == reference)
        return next((self._fact(id_) for id_ in found), None)

    def _fact(self, order_id: str) -> ProviderOrderFact:
        asked = self.orders[order_id].request
        return ProviderOrderFact(
            provider_order_id=order_id,
            reference=asked.reference,
            amount=asked.amount,
            currency=asked.currency,
        )

    def _opened(self, request: OrderRequest) -> ProviderOrderFact:
        if self.name in BY_KEY and (known := self._order_of(request.reference)) is not None:
            return known
        order_id = f"order_{len(self.orders) + 1}"
        self.orders[order_id] = ModelOrder(request)
        return self._fact(order_id)

    def _seen(self, order_id: str) -> Seen:
        order = self.orders[order_id]
        charges = self.charges_of(order_id)
        ids = {c.charge_id for c in charges}
        return Seen(
            charges=charges,
            refunds=tuple(r for r in self.refunds.values() if r.charge_id in ids),
            provider_order_id=order_id,
            approved=order.approved,
            cancelled=order.cancelled,
        )

    def _take(self, request: CaptureRequest) -> ChargeFact:
        charge = self.charges[request.charge_id]
        if self.name in BY_KEY and self.captured_by.get(request.key) == charge.charge_id:
            return charge
        if charge.state != "authorized":
            raise Rejected("capture-refused", f"it is {charge.state}")
        self.captured_by[request.key] = charge.charge_id
        return self._put(replace(charge, state="captured", amount=request.amount))

    def _take_approved(self, request: CaptureRequest) -> ChargeFact:
        if request.key in self.captured_by:
            return self.charges[self.captured_by[request.key]]
        order = self.orders[request.provider_order_id]
        if not order.approved:
            raise Rejected("capture-refused", "the buyer has not approved")
        order.approved = False
        if order.declines:
            raise Rejected("instrument-declined", "choose another way to pay")
        taken = self.new_charge(request.provider_order_id, "captured")
        self.captured_by[request.key] = taken.charge_id
        return taken

    def _cancelled(self, order_id: str) -> Seen:
        if any(c.state == "captured" for c in self.charges_of(order_id)):
            raise Rejected("cancel-refused", "it is paid")
        self.orders[order_id].cancelled = True
        for charge in self.charges_of(order_id):
            if charge.state == "authorized":
                self._put(replace(charge, state="lapsed"))
        return self._seen(order_id)

    def _refund_of(self, reference: str) -> RefundFact | None:
        return next((r for r in self.refunds.values() if r.reference == reference), None)

    def _give_back(self, charge_id: str, amount: int, reference: str = "") -> RefundFact:
        known = self._refund_of(reference) if reference else None
        if known is not None and self.name in BY_KEY:
            return known
        if amount > self.left(charge_id):
            raise Rejected("refund-refused", "so much is not left")
        made = RefundFact(
            refund_id=f"re_{len(self.refunds) + 1}", charge_id=charge_id, state="pending", amount=amount,
            currency=self.charges[charge_id].currency, reference=reference,
        )  # fmt: skip
        return self._put_refund(made)

    # --- what buyers, banks and the merchant do there -----------------------------------------------------

    def new_charge(self, order_id: str, state: ChargeState) -> ChargeFact:
        """A payment by a buyer."""
        asked = self.orders[order_id].request
        made = ChargeFact(
            charge_id=f"ch_{len(self.charges) + 1}", provider_order_id=order_id, state=state,
            amount=asked.amount, currency=asked.currency,
        )  # fmt: skip
        return self._put(made)

    def moves(self, charge_id: str, state: ChargeState) -> None:
        """The bank decides, or the provider captures by itself, or an authorisation lapses."""
        self._put(replace(self.charges[charge_id], state=state))

    def approves(self, order_id: str, *, declines: bool) -> None:
        """A buyer agrees; money moves when it is captured."""
        order = self.orders[order_id]
        order.approved, order.declines = True, declines
        self._tell(order_id, approval=True)

    def gives_back(self, charge_id: str, amount: int) -> None:
        """A refund that the merchant makes in the dashboard."""
        self._give_back(charge_id, amount)

    def refund_ends(self, refund_id: str, state: RefundState) -> None:
        self._put_refund(replace(self.refunds[refund_id], state=state))

    # --- the books ----------------------------------------------------------------------------------------

    def charges_of(self, order_id: str) -> tuple[ChargeFact, ...]:
        return tuple(c for c in self.charges.values() if c.provider_order_id == order_id)

    def left(self, charge_id: str) -> int:
        """What of a charge can still go back."""
        charge = self.charges[charge_id]
        gone = sum(
            r.amount for r in self.refunds.values() if r.charge_id == charge_id and r.state != "failed"
        )
        return charge.amount - gone if charge.state == "captured" else 0

    def _put(self, charge: ChargeFact) -> ChargeFact:
        self.charges[charge.charge_id] = charge
        self.writes += 1
        self._tell(charge.provider_order_id, Seen(charges=(charge,)))
        return charge

    def _put_refund(self, refund: RefundFact) -> RefundFact:
        self.refunds[refund.refund_id] = refund
        self.writes += 1
        order_id = self.charges[refund.charge_id].provider_order_id
        self._tell(order_id, Seen(charges=(self.charges[refund.charge_id],), refunds=(refund,)))
        return refund

    def _tell(self, order_id: str, seen: Seen | None = None, *, approval: bool = False) -> None:
        """A webhook of it; where they are only hints, it says no more than where to look."""
        hint = self.name == "paypal"
        told = WebhookContent(
            event_type="event", account=self.account, live=False, known=True, provider_order_id=order_id,
            seen=Seen() if hint or seen is None else seen, hint=hint, approval=approval,
        )  # fmt: skip
        self.webhooks.append(told)
