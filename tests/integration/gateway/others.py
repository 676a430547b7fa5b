"""Stripe and PayPal as a gateway meets them: signed events, and PayPal's certificate at an address.

Typed from the providers' documentation, not from the code under test.
"""

import base64
import hmac
import json
import secrets
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

STRIPE_SECRETS = ("whsec_new_8f7e6d5c4b3a", "whsec_old_1a2b3c4d5e6f")
STRIPE_ACCOUNT = "acct_1032D82eZvKYlo2C"
PAYPAL_ACCOUNT = "B8EXAMPLEMID2"
PAYPAL_WEBHOOK_ID = "8PT597110X687430LKGECATA"
CERTIFICATE_PATH = "/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
PAYPAL_NAME = "messageverificationcerts.paypal.com"
TIME = "2026-03-01T09:00:00Z"


def stripe_headers(
    body: bytes, secret: str = STRIPE_SECRETS[0], at: int | None = None, scheme: str = "v1"
) -> dict[str, str]:
    """A signed delivery (Stripe docs, Webhooks, Verify signatures manually)."""
    moment = int(time.time()) if at is None else at
    signature = hmac.new(secret.encode(), f"{moment}.".encode() + body, "sha256").hexdigest()
    return {"content-type": "application/json", "stripe-signature": f"t={moment},{scheme}={signature}"}


def stripe_event(kind: str = "payment_intent.succeeded", **changes: Any) -> bytes:
    """An event (Stripe docs, The Event object)."""
    intent = {
        "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 49900,
        "amount_received": 49900, "currency": "inr", "status": "succeeded", "metadata": {},
        "latest_charge": "ch_3MmlLrLkdIwHu7ix0snN0B15", "created": 1680800504,
    }  # fmt: skip
    event = {
        "id": "evt_" + secrets.token_hex(12), "object": "event", "api_version": "2026-10-28.endive",
        "created": 1680800510, "livemode": False, "type": kind, "data": {"object": intent},
        "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, **changes,
    }  # fmt: skip
    return json.dumps(event).encode()


def paypal_event(kind: str = "PAYMENT.CAPTURE.COMPLETED", **changes: Any) -> bytes:
    """An event (PayPal docs, Webhooks, Event)."""
    resource = {
        "id": "3C679366HH908993F", "status": "COMPLETED", "final_capture": True,
        "amount": {"currency_code": "USD", "value": "100.00"},
        "supplementary_data": {"related_ids": {"order_id": "5O190127TN364715T"}},
    }  # fmt: skip
    event = {
        "id": "WH-" + secrets.token_hex(9).upper(), "event_version": "1.0", "create_time": TIME,
        "resource_type": "capture", "resource_version": "2.0", "event_type": kind, "resource": resource,
        **changes,
    }  # fmt: skip
    return json.dumps(event).encode()


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    """One key for each name: making them is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    name: str, key: str, issuer: str, signer: str, *, authority: bool = False, days: int = 30
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(rsa_key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(rsa_key(key).public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(rsa_key(signer).public_key()), critical=False
        )
    )
    if authority:
        made = made.add_extension(_usage(signs_certificates=True), critical=True)
    else:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        made = made.add_extension(_usage(signs_certificates=False), critical=True)
    return made.sign(rsa_key(signer), hashes.SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


@dataclass(frozen=True)
class PayPal:
    """PayPal's side: it signs, and serves its certificate. `answers`: path → (status, body)."""

    origin: str
    roots: Path
    answers: dict[str, tuple[int, bytes]]
    asked: list[str]

    def headers(self, body: bytes, key: str = "paypal", path: str = CERTIFICATE_PATH) -> dict[str, str]:
        """A signed delivery (PayPal docs, Webhooks, Verify)."""
        transmission = secrets.token_hex(16)
        text = f"{transmission}|{TIME}|{PAYPAL_WEBHOOK_ID}|{zlib.crc32(body)}".encode()
        signature = rsa_key(key).sign(text, padding.PKCS1v15(), hashes.SHA256())
        return {
            "content-type": "application/json",
            "paypal-transmission-id": transmission,
            "paypal-transmission-time": TIME,
            "paypal-transmission-sig": base64.b64encode(signature).decode(),
            "paypal-cert-url": self.origin + path,
            "paypal-auth-algo": "SHA256withRSA",
        }

    def settings(self) -> dict[str, str]:
        prefix = "GATEWAY_PROVIDERS__PAYPAL__"
        return {
            f"{prefix}CLIENT_ID": "AZxExampleClient",
            f"{prefix}CLIENT_SECRET": "EL-client-secret-of-this-stack",
            f"{prefix}WEBHOOK_ID": PAYPAL_WEBHOOK_ID,
            f"{prefix}ACCOUNT": PAYPAL_ACCOUNT,
            f"{prefix}CERTIFICATE_HOSTS": json.dumps([self.origin]),
            f"{prefix}CERTIFICATE_AUTHORITIES": str(self.roots),
        }


STRIPE_SETTINGS = {
    "GATEWAY_PROVIDERS__STRIPE__SECRET_KEY": "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "GATEWAY_PROVIDERS__STRIPE__PUBLISHABLE_KEY": "pk_test_TYooMQauvdEDq54NiTphI7jx",
    "GATEWAY_PROVIDERS__STRIPE__WEBHOOK_SECRETS": json.dumps(STRIPE_SECRETS),
    "GATEWAY_PROVIDERS__STRIPE__ACCOUNT": STRIPE_ACCOUNT,
    "GATEWAY_PROVIDERS__ORDER_BY_CURRENCY": json.dumps({"EUR": ["paypal", "stripe"]}),
}


@contextmanager
def paypal_in(folder: Path) -> Iterator[PayPal]:
    """PayPal's certificate server, and the roots that it goes back to."""
    root = certificate("Test Root", "root", "Test Root", "root", authority=True)
    leaf = certificate(PAYPAL_NAME, "paypal", "Test Root", "root")
    answers = {CERTIFICATE_PATH: (200, pem(leaf))}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = answers.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    roots = folder / "paypal-roots.pem"
    roots.write_bytes(pem(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield PayPal(f"http://127.0.0.1:{server.server_port}", roots, answers, asked)
        server.shutdown()
        serving.join()
