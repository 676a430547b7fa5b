"""A simulator with a PayPal account, a webhook receiver, and the official SDK between them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from paypalserversdk.configuration import Configuration, Environment
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.models.amount_with_breakdown import AmountWithBreakdown
from paypalserversdk.models.checkout_payment_intent import CheckoutPaymentIntent
from paypalserversdk.models.order_request import OrderRequest
from paypalserversdk.models.payment_source import PaymentSource
from paypalserversdk.models.paypal_wallet import PaypalWallet
from paypalserversdk.models.paypal_wallet_experience_context import PaypalWalletExperienceContext
from paypalserversdk.models.purchase_unit_request import PurchaseUnitRequest
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from tests.contract.simulator.running import Json, Simulator, free_port

CLIENT_ID = "contract-client-id"
CLIENT_SECRET = "contract client secret"
WEBHOOK_ID = "8PT597110X687430L"
MERCHANT_ID = "CONTRACTM3RCH"


@dataclass
class Arrival:
    """One webhook request as it came."""

    at: float
    headers: dict[str, str]  # lower-case names
    raw: bytes

    @property
    def body(self) -> Json:
        return json.loads(self.raw)  # type: ignore[no-any-return]

    @property
    def event(self) -> str:
        return str(self.body["event_type"])


@dataclass
class Receiver:
    """A shop's webhook address; answers `status`."""

    port: int
    arrivals: list[Arrival] = field(default_factory=list)
    status: int = 200

    def about(self, text: str) -> list[Arrival]:
        """The deliveries whose body names this id."""
        return [each for each in self.arrivals if text.encode() in each.raw]

    def events(self, text: str) -> list[str]:
        return [each.event for each in self.about(text)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.arrivals.append(Arrival(time.time(), headers, raw))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Quiet: the arrivals are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Here(Configuration):  # type: ignore[misc]  # the SDK publishes no types
    """The SDK has no setting for its address: this is the one thing that is changed."""

    address = ""

    def get_base_uri(self, server: object = None) -> str:  # noqa: ARG002 - the SDK's own signature
        return self.address


class PayPalSimulator(Simulator):
    """`python -m devstack.simulator` with a PayPal account beside Razorpay's."""

    def __init__(self, folder: Path, webhook_port: int, *, time_scale: float, **account: object) -> None:
        super().__init__(folder, webhook_port, time_scale=time_scale, seed=7)
        config = json.loads(self._config.read_text())
        config["paypal"] = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "webhook_id": WEBHOOK_ID,
            "merchant_id": MERCHANT_ID,
            "webhook_url": f"http://127.0.0.1:{webhook_port}/webhooks",
            **account,
        }
        self._config.write_text(json.dumps(config))

    @property
    def authorities(self) -> Path:
        """The root that its webhooks' certificates go back to."""
        return self.data_dir / "paypal" / "root.pem"

    def sdk(self) -> PaypalServersdkClient:
        """The official SDK, unmodified but for its base address."""
        here = _Here(
            environment=Environment.SANDBOX,
            timeout=10,
            max_retries=0,
            client_credentials_auth_credentials=ClientCredentialsAuthCredentials(
                o_auth_client_id=CLIENT_ID, o_auth_client_secret=CLIENT_SECRET
            ),
        )
        here.address = self.base
        return PaypalServersdkClient(config=here)

    def paypal(self, path: str, body: object = None) -> Json:
        """A control call: `orders/{id}/approve` and the like."""
        return self.control("POST", f"/paypal/{path}", body if body is not None else {})

    def row(self, kind: str, row_id: str) -> Json:
        rows = self.ledger()["paypal"][kind]
        return next(row for row in rows if row["id"] == row_id)


def order_body(invoice_id: str, value: str, currency: str, return_url: str) -> OrderRequest:
    """An order as the documents' sample makes it, in the SDK's own classes."""
    context = PaypalWalletExperienceContext(return_url=return_url, cancel_url=f"{return_url}?cancelled=1")
    unit = PurchaseUnitRequest(
        amount=AmountWithBreakdown(currency_code=currency, value=value),
        custom_id=f"order of {invoice_id}",
        invoice_id=invoice_id,
    )
    return OrderRequest(
        intent=CheckoutPaymentIntent.CAPTURE,
        purchase_units=[unit],
        payment_source=PaymentSource(paypal=PaypalWallet(experience_context=context)),
    )


def new_order(
    sdk: PaypalServersdkClient, invoice_id: str, value: str, currency: str, return_url: str
) -> Json:
    """The created order as JSON."""
    asked = {"body": order_body(invoice_id, value, currency, return_url), "paypal_request_id": invoice_id}
    return json.loads(sdk.orders.create_order(asked).text)  # type: ignore[no-any-return]
