"""PayPal under contract: its simulator, in the words of the scenarios."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from shared.providers.paypal import PayPalAdapter
from shared.providers.paypal.amounts import decimal_text
from shared.settings import PayPalSettings
from tests.contract.providers.contract.driver import Delivery, Odd, Traits
from tests.contract.simulator.paypal.running import (
    CLIENT_ID,
    CLIENT_SECRET,
    MERCHANT_ID,
    WEBHOOK_ID,
    PayPalSimulator,
    Receiver,
    receiving,
)


def paypal_adapter_at(base_url: str, timeout_s: float = 3.0, **settings: object) -> PayPalAdapter:
    given = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "webhook_id": WEBHOOK_ID,
        "account": MERCHANT_ID,
        "base_url": base_url,
        "return_url": "http://127.0.0.1:9/checkout",
        "cancel_url": "http://127.0.0.1:9/checkout?left=1",
        "timeout_s": timeout_s,
        **settings,
    }
    return PayPalAdapter(PayPalSettings.model_validate(given))


def paypal_adapter_of(simulator: PayPalSimulator) -> PayPalAdapter:
    """One that trusts the simulator's certificates."""
    return paypal_adapter_at(
        simulator.base,
        certificate_hosts=[simulator.base],
        certificate_authorities=str(simulator.authorities),
    )


class PayPalDriver:
    """An hour of PayPal's time is 0.36 s: the report lags by one second."""

    name = "paypal"
    currency = "USD"
    capabilities = PayPalAdapter.capabilities
    traits = Traits(finds_orders=False, captures_by_itself=False)
    page_setting = "shared.providers.paypal.lists.LINES_PER_PAGE"
    unknown_order = "5O190127TN364715T"
    unknown_charge = "3C679366HH908993F"
    create_call = "POST /v2/checkout/orders"
    capture_call = "POST /v2/checkout/orders/*/capture"
    refund_call = "POST /v2/payments/captures/*/refund"

    def __init__(self, simulator: PayPalSimulator, receiver: Receiver) -> None:
        self.simulator = simulator
        self.receiver = receiver

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, time_scale: float = 10_000, **account: object) -> Iterator[Self]:
        with receiving() as receiver:
            simulator = PayPalSimulator(folder, receiver.port, time_scale=time_scale, **account)
            simulator.start()
            try:
                yield cls(simulator, receiver)
            finally:
                simulator.stop()

    def adapter(self) -> PayPalAdapter:
        return paypal_adapter_of(self.simulator)

    def pay(self, provider_order_id: str, outcome: Literal["success", "declined"] = "success") -> None:
        self.simulator.paypal(f"orders/{provider_order_id}/approve", {"outcome": outcome})

    def refund_elsewhere(self, charge_id: str, amount: int, currency: str) -> None:
        money = {"currency_code": currency, "value": decimal_text(amount, currency)}
        self.simulator.paypal(f"captures/{charge_id}/refund", {"amount": money})

    def take_back(self, charge_id: str) -> str:
        """A bank takes the whole capture back without a dispute; the reversal's id."""
        return str(self.simulator.paypal(f"captures/{charge_id}/reverse")["id"])

    def fail_refund(self, refund_id: str) -> None:
        self.simulator.paypal(f"refunds/{refund_id}/fail")

    def dispute(self, charge_id: str) -> str:
        return str(self.simulator.paypal(f"captures/{charge_id}/dispute", {"stage": "CHARGEBACK"})["id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        outcome = "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR"
        self.simulator.paypal(f"disputes/{dispute_id}/resolve", {"outcome": outcome})

    def pay_out(self) -> None:
        """All that is on the balance goes to the bank; no line says that it was in it."""
        self.simulator.paypal("withdraw")

    def faults(self, call: str, **effects: object) -> None:
        self.simulator.faults(seed=1, api=[{"path": call, **effects}])

    def no_faults(self) -> None:
        self.simulator.control("DELETE", "/faults")

    def heard(self, text: str) -> list[Delivery]:
        return [Delivery(each.headers, each.raw) for each in self.receiver.about(text)]

    def send_odd(self, kind: Odd) -> None:
        resource: dict[str, object] = {"id": f"odd-{kind}", "status": "COMPLETED"}
        if kind == "foreign":
            resource["payee"] = {"merchant_id": "SOMEBODYSM3RC"}
        event = "PAYMENT.CAPTURE.COMPLETED" if kind == "foreign" else "PAYMENT.CAPTURE.INVENTED"
        self.simulator.paypal("webhooks", {"event": event, "resource": resource})
