"""A shop page with a Payment Element, on an origin of its own with a strict content security policy."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.contract.simulator.running import free_port

_PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title>
<div id="payment-element"></div><button id="pay">Pay</button><output id="log"></output>
<script src="{simulator}/stripe/v3/"></script><script src="/shop.js"></script>"""
_SCRIPT = """
const log = [];
const tell = (what, value) => {
  log.push([what, value]);
  document.getElementById("log").textContent = JSON.stringify(log);
};
const options = __OPTIONS__;
const stripe = Stripe(options.key);
const came = new URLSearchParams(location.search);
const secret = came.get("payment_intent_client_secret");
if (secret) {
  tell("returned", Object.fromEntries(came));
  stripe.retrievePaymentIntent(secret)
    .then((answer) => tell("retrieved", answer.paymentIntent ?? answer.error));
} else {
  const elements = stripe.elements({ clientSecret: options.clientSecret, locale: "en-US" });
  const element = elements.create("payment");
  element.on("ready", () => tell("ready", null));
  element.on("loaderror", ({ error }) => tell("loaderror", error));
  element.mount("#payment-element");
  document.getElementById("pay").addEventListener("click", async () => {
    const submitted = await elements.submit();
    if (submitted.error) { tell("invalid", submitted.error); return; }
    const { paymentIntent, error } = await stripe.confirmPayment({
      elements, redirect: options.redirect,
      confirmParams: { return_url: `${location.origin}/return?order=o-1` },
    });
    tell(error ? "error" : "confirmed", error ?? paymentIntent);
  });
}
"""


@dataclass
class Shop:
    """What the page hands to Stripe.js."""

    port: int
    key: str = ""
    client_secret: str = ""
    redirect: str = "if_required"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self) -> str:
        options = {"key": self.key, "clientSecret": self.client_secret, "redirect": self.redirect}
        return _SCRIPT.replace("__OPTIONS__", json.dumps(options))


@contextmanager
def selling(simulator: str) -> Iterator[Shop]:
    shop = Shop(free_port())
    policy = f"default-src 'none'; script-src 'self' {simulator}; frame-src {simulator}; style-src 'self'"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/shop.js"
            body = (shop.script() if script else _PAGE.format(simulator=simulator)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", shop.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
