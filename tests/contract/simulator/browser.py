"""The machine's own Chromium, and a shop page on an origin of its own with a strict policy."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.contract.simulator.running import Json, free_port

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title>
<button id="buy">Buy</button><output id="log"></output>
<script src="{simulator}/v1/checkout.js"></script><script src="/shop.js"></script>"""
_SCRIPT = """
const log = [];
const tell = (what, value) => {
  log.push([what, value]);
  document.getElementById("log").textContent = JSON.stringify(log);
};
const options = __OPTIONS__;
if (!options.redirect) options.handler = (response) => tell("handler", response);
options.modal = { ...options.modal, ondismiss: () => tell("dismissed", null) };
document.getElementById("buy").addEventListener("click", () => {
  const checkout = new Razorpay(options);
  checkout.on("payment.failed", (response) => tell("failed", response.error));
  checkout.open();
});
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Without a browser the test is left out, saying so; under CI=true that is a failure."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        missing = "no Chrome or Chromium here: install chromium to run the browser tests"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Shop:
    """A page with a buy button; `options` is what it hands to checkout."""

    port: int
    simulator: str
    options: Json = field(default_factory=dict)
    posted: list[dict[str, str]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def selling(simulator: str) -> Iterator[Shop]:
    shop = Shop(free_port(), simulator)
    policy = (
        f"default-src 'none'; script-src 'self' {simulator}; frame-src {simulator}; "
        "style-src 'self'; form-action 'self'"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/shop.js":
                script = _SCRIPT.replace("__OPTIONS__", json.dumps(shop.options))
                self._send(script, "text/javascript")
            else:
                self._send(_PAGE.format(simulator=simulator), "text/html")

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            shop.posted.append({name: values[0] for name, values in parse_qs(raw).items()})
            self._send("<h1 id=returned>Back in the shop</h1>", "text/html")

        def _send(self, text: str, content_type: str) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", content_type)
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
