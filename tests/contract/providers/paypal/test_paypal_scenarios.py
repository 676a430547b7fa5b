"""The scenarios, with PayPal's adapter and its simulator."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from shared.providers.base import Adapter
from shared.providers.paypal import PayPalAdapter
from tests.contract.providers.paypal import scenarios
from tests.contract.simulator.paypal.running import PayPalSimulator

Scenario = Callable[[Adapter, scenarios.Driver], Awaitable[None]]


@dataclass
class PayPalDriver:
    """The people behind PayPal."""

    simulator: PayPalSimulator
    currency: str = "USD"
    create_call: str = "POST /v2/checkout/orders"
    capture_call: str = "POST /v2/checkout/orders/*/capture"
    refund_call: str = "POST /v2/payments/captures/*/refund"

    def pay(self, provider_order_id: str, outcome: str = "success") -> None:
        self.simulator.paypal(f"orders/{provider_order_id}/approve", {"outcome": outcome})

    def refund_elsewhere(self, charge_id: str, amount: int) -> None:
        value = f"{amount // 100}.{amount % 100:02d}"
        body = {"amount": {"currency_code": self.currency, "value": value}}
        self.simulator.paypal(f"captures/{charge_id}/refund", body)

    def fail_refund(self, refund_id: str) -> None:
        self.simulator.paypal(f"refunds/{refund_id}/fail")

    def dispute(self, charge_id: str) -> str:
        return str(self.simulator.paypal(f"captures/{charge_id}/dispute", {"stage": "CHARGEBACK"})["id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        outcome = "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR"
        self.simulator.paypal(f"disputes/{dispute_id}/resolve", {"outcome": outcome})

    def faults(self, call: str, **effects: object) -> None:
        self.simulator.faults(seed=1, api=[{"path": call, **effects}])

    def no_faults(self) -> None:
        self.simulator.control("DELETE", "/faults")


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda each: each.__name__)
async def test_paypal(scenario: Scenario, adapter: PayPalAdapter, simulator: PayPalSimulator) -> None:
    await scenario(adapter, PayPalDriver(simulator))
