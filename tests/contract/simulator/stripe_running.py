"""A simulator that has a Stripe account, the official SDK as its client, and what its webhooks say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stripe

from tests.contract.simulator.running import Arrival, Json, Receiver, Simulator, receiving

SECRET_KEY = "sk_test_contractContractContract"
PUBLISHABLE_KEY = "pk_test_contractContractContract"
STRIPE_SECRET = "whsec_contract_webhook_secret"
OLD_STRIPE_SECRET = "whsec_the_one_before"
ACCOUNT = "acct_Contract000001"


class StripeSimulator(Simulator):
    """Its Stripe API stands below `/stripe`."""

    def __init__(self, folder: Path, webhook_port: int, *, time_scale: float, **account: object) -> None:
        super().__init__(folder, webhook_port, time_scale=time_scale, seed=7)
        config = json.loads(self._config.read_text())
        config["stripe"] = {
            "secret_key": SECRET_KEY,
            "publishable_key": PUBLISHABLE_KEY,
            "webhook_secret": STRIPE_SECRET,
            "old_webhook_secret": OLD_STRIPE_SECRET,
            "account_id": ACCOUNT,
            "webhook_url": f"http://127.0.0.1:{webhook_port}/webhooks",
            **account,
        }
        self._config.write_text(json.dumps(config))

    @property
    def api(self) -> str:
        return f"{self.base}/stripe"

    def sdk(self, key: str = SECRET_KEY) -> stripe.StripeClient:
        """Unmodified but for its base address."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.api},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=5, session=self.http),
        )

    def act(self, path: str, **body: object) -> Json:
        """A control call."""
        return self.control("POST", f"/stripe/{path}", body)

    def pay_intent(self, intent_id: str, **form: object) -> Json:
        return self.act(f"payment_intents/{intent_id}/pay", **form)

    def row(self, kind: str, row_id: str) -> Json:
        return next(row for row in self.ledger()["stripe"][kind] if row["id"] == row_id)


@contextmanager
def running(
    folder: Path, *, time_scale: float = 600, **account: object
) -> Iterator[tuple[StripeSimulator, Receiver]]:
    """One minute of the provider's time is a tenth of a second, unless said."""
    with receiving() as receiver:
        simulator = StripeSimulator(folder, receiver.port, time_scale=time_scale, **account)
        simulator.start()
        try:
            yield simulator, receiver
        finally:
            simulator.stop()


def intent_of(arrival: Arrival) -> str:
    """Which intent an event is about."""
    thing: Any = arrival.body["data"]["object"]
    return str(thing.get("payment_intent") or thing["id"])


def told(receiver: Receiver, intent_id: str) -> list[Arrival]:
    """What arrived about an intent, in the order in which it came."""
    return [each for each in receiver.arrivals if intent_of(each) == intent_id]


def types(receiver: Receiver, intent_id: str) -> list[str]:
    return [str(arrival.body["type"]) for arrival in told(receiver, intent_id)]
