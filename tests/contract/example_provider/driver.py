"""TillPay under contract: its people, and how it says things."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from tests.contract.example_provider.adapter import TillPayAdapter, TillPaySettings
from tests.contract.example_provider.tillpay import ACCOUNT, SECRET, TillPay, serving
from tests.contract.providers.contract.driver import Delivery, Odd, Traits
from tests.contract.simulator.running import Receiver, receiving


def tillpay_adapter_at(base_url: str, timeout_s: float = 2.0) -> TillPayAdapter:
    given = {"secret_key": SECRET, "account": ACCOUNT, "base_url": base_url, "timeout_s": timeout_s}
    return TillPayAdapter(TillPaySettings.model_validate(given))


class TillPayDriver:
    name = "tillpay"
    currency = "EUR"
    capabilities = TillPayAdapter.capabilities
    traits = Traits(has_disputes=False)
    page_setting = "tests.contract.example_provider.adapter.PAGE"
    unknown_order = "or_999999999999"
    unknown_charge = "ch_999999999999"
    create_call = "POST /orders"
    capture_call = ""
    refund_call = "POST /refunds"

    def __init__(self, till: TillPay, url: str, receiver: Receiver) -> None:
        self.till, self.url, self.receiver = till, url, receiver

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:  # noqa: ARG003 - it keeps nothing on disk
        with receiving() as receiver, serving(f"http://127.0.0.1:{receiver.port}/webhooks") as (till, url):
            yield cls(till, url, receiver)

    def adapter(self) -> TillPayAdapter:
        return tillpay_adapter_at(self.url)

    def pay(self, provider_order_id: str, outcome: Literal["success", "declined"] = "success") -> None:
        self.till.pay(provider_order_id, outcome)

    def refund_elsewhere(self, charge_id: str, amount: int, currency: str) -> None:  # noqa: ARG002 - the amount is in the charge's own
        self.till.refund(charge_id, amount)

    def fail_refund(self, refund_id: str) -> None:
        self.till.refunds[refund_id]["state"] = "failed"

    def dispute(self, charge_id: str) -> str:
        raise NotImplementedError(f"TillPay has no disputes: {charge_id}")

    def decide(self, dispute_id: str, *, won: bool) -> None:
        raise NotImplementedError(f"TillPay has no disputes: {dispute_id}, {won}")

    def pay_out(self) -> None:
        self.till.pay_out()

    def faults(self, call: str, **effects: object) -> None:
        self.till.fault = (call, effects)

    def no_faults(self) -> None:
        self.till.fault = None

    def heard(self, text: str) -> list[Delivery]:
        found = [each for each in self.receiver.arrivals if text.encode() in each.raw]
        return [Delivery(each.headers, each.raw) for each in found]

    def send_odd(self, kind: Odd) -> None:
        if kind == "foreign":
            self.till.tell("paid", "odd-foreign", "", account="till_of_somebody")
        else:
            self.till.tell("invented", f"odd-{kind}", "")


def _error(words: str) -> bytes:
    return json.dumps({"error": words}).encode()


class TillPayWording:
    name = "tillpay"
    currency = "EUR"
    order = json.dumps(
        {
            "order": {
                "provider_order_id": "or_000000000001",
                "reference": "attempt-0000000001",
                "amount": 50_000,
                "currency": "EUR",
            }
        }
    ).encode()
    refused = _error("the amount is no number")
    unauthorised = _error("who are you?")
    missing = _error("there is nothing under this id")
    under_way = (409, _error("still at it"))
    key_reused = (409, _error("this key had another request"))
    unprocessable = (422, _error("more than is left of the charge"))
    slow_down = _error("slow down")
    trouble = _error("we have a problem")
    renews_tokens = False
    cannot = frozenset({"capture"})
    may_be_empty: frozenset[str] = frozenset()

    def adapter(self, url: str, timeout_s: float = 2.0) -> TillPayAdapter:
        return tillpay_adapter_at(url, timeout_s)
