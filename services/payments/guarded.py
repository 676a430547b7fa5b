"""The calls that tasks make, each under the circuit of its provider and operation."""

from dataclasses import dataclass

from services.payments.breaker import Circuit
from shared.messages.facts import ChargeFact, ProviderOrderFact, RefundFact, Seen
from shared.providers.base import Adapter, CaptureRequest, OrderRequest, RefundRequest


@dataclass(frozen=True, slots=True)
class Guarded:
    """An adapter that raises Unavailable at once, without a call, while its circuit is open."""

    adapter: Adapter
    circuit: Circuit

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        return await self.circuit.call(lambda: self.adapter.open_order(request))

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        return await self.circuit.call(lambda: self.adapter.find_order(request))

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        return await self.circuit.call(lambda: self.adapter.read_order(provider_order_id))

    async def read(self, provider_order_id: str) -> Seen:
        return await self.circuit.call(lambda: self.adapter.read(provider_order_id))

    async def read_charge(self, charge_id: str) -> ChargeFact:
        return await self.circuit.call(lambda: self.adapter.read_charge(charge_id))

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        return await self.circuit.call(lambda: self.adapter.capture(request))

    async def cancel(self, provider_order_id: str, key: str) -> Seen:
        return await self.circuit.call(lambda: self.adapter.cancel(provider_order_id, key))

    async def refund(self, request: RefundRequest) -> RefundFact:
        return await self.circuit.call(lambda: self.adapter.refund(request))

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        return await self.circuit.call(lambda: self.adapter.find_refund(request))
