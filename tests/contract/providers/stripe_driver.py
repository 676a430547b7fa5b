"""What the scenarios need done at Stripe, done at the simulator."""

from shared.providers.stripe import StripeAdapter
from shared.settings import StripeSettings
from tests.contract.providers.stripe_scenarios import Outcome
from tests.contract.simulator.stripe_running import (
    ACCOUNT,
    OLD_STRIPE_SECRET,
    PUBLISHABLE_KEY,
    SECRET_KEY,
    STRIPE_SECRET,
    StripeSimulator,
)


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
    """The simulator's control calls, in the words of the scenarios."""

    currency = "USD"
    unknown_order = "pi_000000000000000000000000"
    create_call = "POST /stripe/v1/payment_intents"
    refund_call = "POST /stripe/v1/refunds"

    def __init__(self, simulator: StripeSimulator) -> None:
        self._simulator = simulator

    def pay(self, provider_order_id: str, outcome: Outcome = "success") -> str:
        return str(self._simulator.pay_intent(provider_order_id, outcome=outcome)["charge"] or "")

    def refund(self, charge_id: str, amount: int) -> None:
        self._simulator.act(f"charges/{charge_id}/refund", amount=amount)

    def fail_refund(self, refund_id: str) -> None:
        self._simulator.act(f"refunds/{refund_id}/fail")

    def dispute(self, charge_id: str, *, inquiry: bool = False) -> str:
        return str(self._simulator.act(f"charges/{charge_id}/dispute", inquiry=inquiry)["id"])

    def decide(self, dispute_id: str, step: str) -> None:
        self._simulator.act(f"disputes/{dispute_id}/{step}")

    def settle(self, provider_order_id: str, *, succeeded: bool) -> None:
        self._simulator.act(f"payment_intents/{provider_order_id}/settle", succeeded=succeeded)

    def expire(self, provider_order_id: str) -> None:
        self._simulator.act(f"payment_intents/{provider_order_id}/expire")

    def pay_out(self) -> None:
        self._simulator.act("payout")

    def faults(self, call: str, **faults: object) -> None:
        self._simulator.faults(seed=1, api=[{"path": call, **faults}])

    def no_faults(self) -> None:
        self._simulator.control("DELETE", "/faults")
