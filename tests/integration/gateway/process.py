"""The gateway as its own process, reached by HTTP alone."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.servers import FETCH_WAIT_S

ROOT = Path(__file__).resolve().parents[3]
SIGNING_KEY = "k3y-of-the-checkout-tokens-0123456789abcdef-0123456789abcdef-0123456789"
KEY_SECRET = "rzp-key-secret-of-this-stack"
WEBHOOK_SECRETS = ("wh-secret-new-9d8f7a6b5c", "wh-secret-old-1a2b3c4d5e")
API_KEYS = {
    "shop": ("ps_shop_4f5e6d7c8b9a0f1e", ["orders:write", "payments:read"]),
    "till": ("ps_till_5e6f708192a3b4c5", ["payments:refund", "payments:capture"]),
    "other till": ("ps_till2_c5b4a39281706f5e", ["payments:refund", "payments:capture"]),
    "reader": ("ps_reader_0a1b2c3d4e5f6071", ["payments:read"]),
    "nothing": ("ps_nothing_99887766554433", []),
}
SHOP_ORIGIN = "http://shop.localhost:8710"
RETURN_URL = f"{SHOP_ORIGIN}/thanks?lang=en"


def server(name: str) -> dict[str, str]:
    """The headers of a server with this API key."""
    return {"authorization": f"Bearer {API_KEYS[name][0]}"}


@dataclass
class Gateway:
    """One instance. `settings` overrides single environment variables."""

    port: int
    ops_port: int
    bootstrap: str
    topic_prefix: str
    database_url: str
    owner_url: str
    instance: str = "1"
    settings: dict[str, str] = field(default_factory=dict)
    log: Path = Path(os.devnull)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it is ready."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.gateway"],
                cwd=ROOT,
                env={**_system_environment(), **self._environment()},
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self, timeout_s: float = 40.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.ready() != 200:
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the gateway is not ready:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def ready(self) -> int:
        """The status of its readiness, 0 when nothing answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ops_port}/health/ready", timeout=2).status_code
        except httpx.HTTPError:
            return 0

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.ops_port}/metrics", timeout=5).text

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 20.0) -> int:
        """Ends it in order; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _environment(self) -> dict[str, str]:
        keys: list[dict[str, Any]] = [
            {"name": n.replace(" ", "-"), "key": k, "scopes": s} for n, (k, s) in API_KEYS.items()
        ]
        return {
            "GATEWAY_INSTANCE": self.instance,
            "GATEWAY_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "GATEWAY_KAFKA__TOPIC_PREFIX": self.topic_prefix,
            "GATEWAY_KAFKA__SESSION_TIMEOUT_S": "5",
            "GATEWAY_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S,
            "GATEWAY_DATABASE__URL": self.database_url,
            "GATEWAY_DATABASE__OWNER_URL": self.owner_url,
            "GATEWAY_HTTP__PORT": str(self.port),
            "GATEWAY_OPS__PORT": str(self.ops_port),
            "GATEWAY_LOG__FORMAT": "console",
            "GATEWAY_CHECKOUT__SIGNING_KEY": SIGNING_KEY,
            "GATEWAY_API_KEYS": json.dumps(keys),
            "GATEWAY_CORS_ORIGINS": json.dumps([SHOP_ORIGIN]),
            "GATEWAY_SHOP__NAME": "Kumo Tea",
            "GATEWAY_SHOP__RETURN_URL": RETURN_URL,
            "GATEWAY_PROVIDERS__RAZORPAY__KEY_ID": "rzp_test_1DP5mmOlF5G5ag",
            "GATEWAY_PROVIDERS__RAZORPAY__KEY_SECRET": KEY_SECRET,
            "GATEWAY_PROVIDERS__RAZORPAY__WEBHOOK_SECRETS": json.dumps(WEBHOOK_SECRETS),
            "GATEWAY_PROVIDERS__RAZORPAY__ACCOUNT": "acc_BFQ7uQEaa7j2z7",
            **self.settings,
        }


def _system_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
