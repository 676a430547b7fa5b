"""Stripe under contract: its simulator, in the words of the scenarios."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from shared.providers.stripe import StripeAdapter
from shared.settings import StripeSettings
from tests.contract.providers.contract.driver import Delivery, Odd, Traits
from tests.contract.simulator.running import Receiver
from tests.contract.simulator.stripe_running import (
    ACCOUNT,
    OLD_STRIPE_SECRET,
    PUBLISHABLE_KEY,
    SECRET_KEY,
    STRIPE_SECRET,
    StripeSimulator,
    running,
)

Outcome = Literal["success", "declined", "authentication_failed", "processing"]


def stripe_adapter_at(base_url: str, timeout_s: float = 2.0) -> StripeAdapter:
    return StripeAdapter(
        StripeSettings.model_validate(
            {
                "secret_key": SECRET_KEY,
                "publishable_key": PUBLISHABLE_KEY,
                "webhook_secrets": [STRIPE_SECRET, OLD_STRIPE_SECRET],
                "account": ACCOUNT,
                "base_url": base_url,
                "return_url": "https://shop.example/return?from=stripe",
                "timeout_s": timeout_s,
            }
        )
    )


class StripeDriver:
    """One minute of the provider's time is a tenth of a second."""

    name = "stripe"
    currency = "USD"
    capabilities = StripeAdapter.capabilities
    traits = Traits(has_odd_webhooks=("unknown", "foreign", "live"))
    page_setting = "shared.providers.stripe.adapter.PAGE"
    unknown_order = "pi_000000000000000000000000"
    unknown_charge = "ch_000000000000000000000000"
    create_call = "POST /stripe/v1/payment_intents"
    capture_call = "POST /stripe/v1/payment_intents/*/capture"
    refund_call = "POST /stripe/v1/refunds"

    def __init__(self, simulator: StripeSimulator, receiver: Receiver) -> None:
        self.simulator = simulator
        self.receiver = receiver

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, time_scale: float = 600, **account: object) -> Iterator[Self]:
        with running(folder, time_scale=time_scale, **account) as (simulator, receiver):
            yield cls(simulator, receiver)

    def adapter(self) -> StripeAdapter:
        return stripe_adapter_at(self.simulator.api)

    def pay(self, provider_order_id: str, outcome: Outcome = "success") -> str:
        """The id of its charge, empty when it made none."""
        return str(self.simulator.pay_intent(provider_order_id, outcome=outcome)["charge"] or "")

    def refund_elsewhere(self, charge_id: str, amount: int, currency: str) -> None:  # noqa: ARG002 - the amount is in the charge's own
        self.simulator.act(f"charges/{charge_id}/refund", amount=amount)

    def fail_refund(self, refund_id: str) -> None:
        self.simulator.act(f"refunds/{refund_id}/fail")

    def dispute(self, charge_id: str, *, inquiry: bool = False) -> str:
        return str(self.simulator.act(f"charges/{charge_id}/dispute", inquiry=inquiry)["id"])

    def decide(self, dispute_id: str, *, won: bool) -> None:
        self.simulator.act(f"disputes/{dispute_id}/{'won' if won else 'lost'}")

    def pay_out(self) -> None:
        self.simulator.act("payout")

    def faults(self, call: str, **effects: object) -> None:
        self.simulator.faults(seed=1, api=[{"path": call, **effects}])

    def no_faults(self) -> None:
        self.simulator.control("DELETE", "/faults")

    def heard(self, text: str) -> list[Delivery]:
        found = [each for each in self.receiver.arrivals if text.encode() in each.raw]
        return [Delivery(each.headers, each.raw) for each in found]

    def send_odd(self, kind: Odd) -> None:
        data = {"id": f"pi_odd-{kind}", "amount": 100, "currency": "usd", "status": "canceled"}
        sent: dict[str, object] = {"event": "payment_intent.canceled", "data": data}
        match kind:
            case "unknown":
                sent["event"] = "payment_intent.invented"
            case "foreign":
                sent["account"] = "acct_Somebodys00001"
            case "live":
                sent["livemode"] = True
        self.simulator.act("webhooks", **sent)
