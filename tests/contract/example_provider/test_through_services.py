"""A fourth provider takes an order's money and gives it back through the services as they are."""

import os
import secrets
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from devstack.database_server import DatabaseServer
from devstack.ports import free_ports
from tests.contract.example_provider.tillpay import ACCOUNT, SECRET, TillPay, serving
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.process import ROOT, Gateway, server
from tests.servers import new_database

Json = dict[str, Any]
STARTED_WITHIN_S = 60.0


class TillGateway(Gateway):
    """The gateway that knows TillPay too."""

    def launch(self) -> None:
        self.process = _launch("gateway", self._environment(), self.log)


@dataclass
class Shop:
    """The gateway over HTTP, and TillPay behind the services."""

    url: str
    till: TillPay

    def call(self, method: str, path: str, headers: dict[str, str], body: Json | None = None) -> Json:
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=20)
        assert answer.status_code in (200, 201, 202), answer.text
        return dict(answer.json())

    def order(self, amount: int, currency: str = "EUR") -> tuple[str, dict[str, str]]:
        """(order id, the buyer's headers)."""
        order_id = f"o-{uuid.uuid4().hex[:12]}"
        body = {
            "orderId": order_id,
            "amount": amount,
            "currency": currency,
            "customer": {"name": "Asha Rao", "email": "asha@shop.test"},
            "lines": [{"name": "Teapot", "quantity": 1, "unitAmount": amount}],
        }
        placed = self.call("POST", "/api/orders", server("shop"), body)
        return order_id, {"authorization": f"Bearer {placed['checkoutToken']}"}

    def open(self, order_id: str, buyer: dict[str, str]) -> Json:
        body = {"orderId": order_id, "provider": "tillpay"}
        return self.call("POST", "/api/payments/create-order", buyer, body)

    def becomes(self, order_id: str, status: str) -> Json:
        def there() -> Json | None:
            seen = self.call("GET", f"/api/payments/{order_id}", server("shop"))
            return seen if seen["status"] == status else None

        seen = eventually(there, timeout_s=30)
        assert seen is not None
        return seen

    def refund(self, order_id: str, amount: int) -> None:
        headers = server("till") | {"Idempotency-Key": f"refund-{order_id}-{amount}"}
        self.call("POST", "/api/payments/refund", headers, {"orderId": order_id, "amount": amount})


def _launch(service: str, env: dict[str, str], log: Path) -> Popen[bytes]:
    command = [sys.executable, "-m", "tests.contract.example_provider", service]
    with log.open("ab") as out:
        return Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"], **env}, stdout=out, stderr=out)


@pytest.fixture(scope="module")
def shop(postgres: DatabaseServer, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, urls, prefix = (
        tmp_path_factory.mktemp("tillpay"),
        new_database(postgres),
        f"x{secrets.token_hex(5)}.",
    )
    port, gateway_ops, payments_ops = free_ports(3)
    with ExitStack() as stack:
        stack.callback(postgres.drop_database, urls.name)
        webhooks = f"http://127.0.0.1:{port}/api/payments/webhook"
        till, url = stack.enter_context(serving(webhooks))
        provider = {"SECRET_KEY": SECRET, "ACCOUNT": ACCOUNT, "BASE_URL": url}

        def settings(service: str) -> dict[str, str]:
            return {f"{service}_PROVIDERS__TILLPAY__{name}": value for name, value in provider.items()}

        payments = {
            "PAYMENTS_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "PAYMENTS_KAFKA__TOPIC_PREFIX": prefix,
            "PAYMENTS_DATABASE__URL": urls.app("payments"),
            "PAYMENTS_DATABASE__OWNER_URL": urls.owner("payments"),
            "PAYMENTS_OPS__PORT": str(payments_ops),
            **settings("PAYMENTS"),
        }
        process = _launch("payments", payments, folder / "payments.log")
        stack.callback(process.wait)
        stack.callback(process.terminate)
        gateway = TillGateway(
            port, gateway_ops, kafka, prefix, urls.app("gateway"), urls.owner("gateway"),
            settings=settings("GATEWAY"), log=folder / "gateway.log",
        )  # fmt: skip
        gateway.launch()
        stack.callback(gateway.stop)
        gateway.wait_until_ready(STARTED_WITHIN_S)
        ready = f"http://127.0.0.1:{payments_ops}/health/ready"
        eventually(lambda: _answers(ready), timeout_s=STARTED_WITHIN_S)
        yield Shop(gateway.url, till)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_it_is_offered_for_what_it_takes(shop: Shop) -> None:
    order_id, buyer = shop.order(12_345)
    options = httpx.get(f"{shop.url}/api/payments/{order_id}/options", headers=buyer, timeout=10).json()
    assert [each["provider"] for each in options] == ["razorpay", "tillpay"]
    order_id, buyer = shop.order(500, "USD")
    options = httpx.get(f"{shop.url}/api/payments/{order_id}/options", headers=buyer, timeout=10).json()
    assert [each["provider"] for each in options] == ["razorpay"]


def test_its_webhook_pays_an_order_and_its_refunds_give_the_money_back(shop: Shop) -> None:
    order_id, buyer = shop.order(12_345)
    opened = shop.open(order_id, buyer)
    assert (opened["provider"], opened["amount"], opened["currency"]) == ("tillpay", 12_345, "EUR")
    assert opened["checkout"]["payUrl"]
    shop.till.pay(opened["providerOrderId"])
    assert shop.becomes(order_id, "paid")["provider"] == "tillpay"
    shop.refund(order_id, 2345)
    shop.becomes(order_id, "partially_refunded")
    shop.refund(order_id, 10_000)
    shop.becomes(order_id, "refunded")
    ours = {charge["charge_id"] for charge in shop.till.charges.values()}
    given_back = [r["amount"] for r in shop.till.refunds.values() if r["charge_id"] in ours]
    assert sorted(given_back) == [2345, 10_000]


def test_its_proof_is_a_reason_to_look(shop: Shop) -> None:
    order_id, buyer = shop.order(700, "JPY")
    opened = shop.open(order_id, buyer)
    webhooks, shop.till.webhook_url = shop.till.webhook_url, "http://127.0.0.1:9/lost"
    shop.till.pay(opened["providerOrderId"])
    shop.till.webhook_url = webhooks
    body = {"orderId": order_id, "tillpay_order": opened["providerOrderId"]}
    assert shop.call("POST", "/api/payments/verify", buyer, body)["status"] == "paid"


def test_a_decline_leaves_the_order_open_for_another_try(shop: Shop) -> None:
    order_id, buyer = shop.order(9900)
    opened = shop.open(order_id, buyer)
    shop.till.pay(opened["providerOrderId"], "declined")
    shop.till.pay(opened["providerOrderId"])
    shop.becomes(order_id, "paid")
