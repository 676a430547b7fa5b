"""Razorpay under contract: its simulator, in the words of the scenarios."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from shared.providers.razorpay import RazorpayAdapter
from shared.settings import RazorpaySettings
from tests.contract.providers.contract.driver import Delivery, Odd, Traits
from tests.contract.simulator.running import (
    ACCOUNT_ID,
    KEY_ID,
    KEY_SECRET,
    OLD_WEBHOOK_SECRET,
    WEBHOOK_SECRET,
    Receiver,
    Simulator,
    receiving,
)


def razorpay_adapter_at(base_url: str, timeout_s: float = 2.0) -> RazorpayAdapter:
    return RazorpayAdapter(
        RazorpaySettings.model_validate(
            {
                "key_id": KEY_ID,
                "key_secret": KEY_SECRET,
                "webhook_secrets": [WEBHOOK_SECRET, OLD_WEBHOOK_SECRET],
                "account": ACCOUNT_ID,
                "base_url": base_url,
                "timeout_s": timeout_s,
            }
        )
    )


class RazorpayDriver:
    """One minute of the provider's time is a tenth of a second."""

    name = "razorpay"
    currency = "INR"
    capabilities = RazorpayAdapter.capabilities
    traits = Traits(repeats_captures=False, withdraws_at_once=False)
    page_setting = "shared.providers.razorpay.adapter.PAGE"
    unknown_order = "order_00000000000000"
    unknown_charge = "pay_00000000000000"
    create_call = "POST /v1/orders"
    capture_call = "POST /v1/payments/*/capture"
    refund_call = "POST /v1/payments/*/refund"

    def __init__(self, simulator: Simulator, receiver: Receiver) -> None:
        self.simulator = simulator
        self.receiver = receiver

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, time_scale: float = 600, **account: object) -> Iterator[Self]:
        with receiving() as receiver:
            simulator = Simulator(folder, receiver.port, time_scale=time_scale, seed=7, account=account)
            simulator.start()
            try:
                yield cls(simulator, receiver)
            finally:
                simulator.stop()

    def adapter(self) -> RazorpayAdapter:
        return razorpay_adapter_at(self.simulator.base)

    def pay(self, provider_order_id: str, outcome: Literal["success", "declined"] = "success") -> None:
        self.simulator.pay(provider_order_id, method="card", outcome=outcome)

    def refund_elsewhere(self, charge_id: str, amount: int, currency: str) -> None:  # noqa: ARG002 - the amount is in the charge's own
        self.simulator.control("POST", f"/razorpay/payments/{charge_id}/refund", {"amount": amount})

    def fail_refund(self, refund_id: str) -> None:
        self.simulator.control("POST", f"/razorpay/refunds/{refund_id}/fail", {})

    def dispute(self, charge_id: str) -> str:
        return str(self.simulator.control("POST", f"/razorpay/payments/{charge_id}/dispute", {})["id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        self.simulator.control("POST", f"/razorpay/disputes/{dispute_id}/{'won' if won else 'lost'}", {})

    def pay_out(self) -> None:
        self.simulator.control("POST", "/razorpay/settle", {})

    def faults(self, call: str, **effects: object) -> None:
        self.simulator.faults(seed=1, api=[{"path": call, **effects}])

    def no_faults(self) -> None:
        self.simulator.control("DELETE", "/faults")

    def heard(self, text: str) -> list[Delivery]:
        found = [each for each in self.receiver.arrivals if text.encode() in each.raw]
        return [Delivery(each.headers, each.raw) for each in found]

    def send_odd(self, kind: Odd) -> None:
        entity = {"id": f"pay_odd-{kind}", "order_id": "order_odd", "status": "captured"}
        sent: dict[str, object] = {
            "event": "payment.captured" if kind == "foreign" else "payment.invented",
            "payload": {"payment": {"entity": {**entity, "amount": 100, "currency": "INR"}}},
        }
        if kind == "foreign":
            sent["account_id"] = "acc_Somebodys00001"
        self.simulator.control("POST", "/razorpay/webhooks", sent)
