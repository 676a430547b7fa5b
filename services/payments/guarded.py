"""The calls that tasks make, each under the circuit of its provider and operation."""

import asyncio
from dataclasses import dataclass

from services.payments.breaker import Circuit
from shared.messages.facts import ChargeFact, ProviderOrderFact, RefundFact, Seen
from shared.providers.base import Adapter, CaptureRequest, OrderRequest, RefundRequest


@dataclass(frozen=True, slots=True)
class Guarded:
    """An adapter that raises Unavailable at once, without a call, while its circuit is open.

    Every write first makes sure that its task has time left: in a process that was frozen since its last
    look it has not, and must not do what another worker has long done.
    """

    adapter: Adapter
    circuit: Circuit

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        await _time_is_left()
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
        await _time_is_left()
        return await self.circuit.call(lambda: self.adapter.capture(request))

    async def cancel(self, provider_order_id: str, key: str) -> Seen:
        await _time_is_left()
        return await self.circuit.call(lambda: self.adapter.cancel(provider_order_id, key))

    async def refund(self, request: RefundRequest) -> RefundFact:
        await _time_is_left()
        return await self.circuit.call(lambda: self.adapter.refund(request))

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        return await self.circuit.call(lambda: self.adapter.find_refund(request))


async def _time_is_left() -> None:
    """Ends in the task's own time-out when that is due. Twice: a timer runs behind what was ready before."""
    for _ in range(2):
        await asyncio.sleep(0)
