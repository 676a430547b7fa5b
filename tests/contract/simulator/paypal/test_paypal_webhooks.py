"""PayPal's deliveries: their headers, their retries, their expiries; the signature by hand."""

import base64
import zlib
from collections.abc import Callable

import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tests.contract.simulator.paypal.running import WEBHOOK_ID, PayPalSimulator, Receiver, new_order
from tests.contract.simulator.running import Json, eventually

MakeOrder = Callable[..., Json]
Start = Callable[..., tuple[PayPalSimulator, Receiver]]


def test_the_signature_holds_as_documented(
    make_order: MakeOrder, simulator: PayPalSimulator, receiver: Receiver
) -> None:
    made = make_order()
    simulator.paypal(f"orders/{made['id']}/approve")
    arrival = eventually(lambda: receiver.about(made["id"]))[0]
    headers = arrival.headers
    assert headers["paypal-auth-algo"] == "SHA256withRSA"
    pem = requests.get(headers["paypal-cert-url"], timeout=5).content
    certificate, *others = x509.load_pem_x509_certificates(pem)
    assert len(others) == 1
    others[0].verify_directly_issued_by(x509.load_pem_x509_certificate(simulator.authorities.read_bytes()))
    certificate.verify_directly_issued_by(others[0])
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    checksum = zlib.crc32(arrival.raw)
    transmission = f"{headers['paypal-transmission-id']}|{headers['paypal-transmission-time']}"
    text = f"{transmission}|{WEBHOOK_ID}|{checksum}".encode()
    key.verify(base64.b64decode(headers["paypal-transmission-sig"]), text, PKCS1v15(), SHA256())
    assert arrival.body["event_type"] == "CHECKOUT.ORDER.APPROVED"
    assert arrival.body["resource"]["id"] == made["id"]


def test_a_refused_delivery_comes_again_with_the_same_id_and_the_endpoint_stays(own_simulator: Start) -> None:
    simulator, receiver = own_simulator(time_scale=50_000)
    receiver.status = 500
    made = new_order(simulator.sdk(), "attempt-1", "10.00", "USD", "http://127.0.0.1:9/back")
    approved = "CHECKOUT.ORDER.APPROVED"
    simulator.paypal(f"orders/{made['id']}/approve")

    def given_up() -> Json | None:
        rows = [row for row in simulator.webhooks(made["id"]) if row["event"] == approved]
        return rows[0] if rows[0]["state"] == "given_up" else None

    row = eventually(given_up, 30)
    assert 20 <= len(row["tries"]) <= 26, "25 tries in 3 days"
    ids = {each.body["id"] for each in receiver.about(made["id"]) if each.event == approved}
    assert len(ids) == 1
    assert all(endpoint["disabled_at"] is None for endpoint in simulator.ledger()["endpoints"])


def test_orders_that_nobody_approves_or_captures_lapse(own_simulator: Start) -> None:
    simulator, receiver = own_simulator(approve_within_s=600, capture_within_s=900)
    sdk = simulator.sdk()
    left = new_order(sdk, "attempt-1", "10.00", "USD", "http://127.0.0.1:9/back")
    approved = new_order(sdk, "attempt-2", "10.00", "USD", "http://127.0.0.1:9/back")
    simulator.paypal(f"orders/{approved['id']}/approve")
    eventually(lambda: simulator.row("orders", left["id"])["status"] == "EXPIRED")
    eventually(lambda: "CHECKOUT.PAYMENT-APPROVAL.REVERSED" in receiver.events(approved["id"]))
    assert receiver.events(left["id"]) == []


def test_a_bad_signature_and_a_hand_made_event_on_request(
    make_order: MakeOrder, simulator: PayPalSimulator, receiver: Receiver
) -> None:
    simulator.faults(webhooks={"next": [{"do": "bad_signature"}]})
    made = make_order()
    simulator.paypal(f"orders/{made['id']}/approve")
    assert eventually(lambda: receiver.about(made["id"]))
    assert any(bite["what"] == "bad_signature" for bite in simulator.bites())
    resource = {"id": "FOREIGN", "payee": {"merchant_id": "SOMEBODY"}}
    simulator.paypal("webhooks", {"event": "PAYMENT.CAPTURE.COMPLETED", "resource": resource})
    assert eventually(lambda: receiver.events("FOREIGN")) == ["PAYMENT.CAPTURE.COMPLETED"]
