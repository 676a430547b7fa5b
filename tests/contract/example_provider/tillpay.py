"""TillPay itself: a tiny HTTP server with orders, payments, refunds and signed webhooks."""

import hmac
import itertools
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
SECRET = "tillpay key of the contract"
ACCOUNT = "till_contract_1"


class Refusal(Exception):
    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words


class TillPay:
    """Its books and its manners; amounts in minor units."""

    def __init__(self, webhook_url: str) -> None:
        self.webhook_url = webhook_url
        self.orders: dict[str, Json] = {}
        self.charges: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self.payouts: list[Json] = []
        self.answers: dict[str, Json] = {}  # by idempotency key
        self.fault: tuple[str, Json] | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    # --- buyers and people --------------------------------------------------------------------------------

    def pay(self, order_id: str, outcome: str = "success") -> Json:
        with self._lock:
            order, charge_id = self.orders[order_id], self._id("ch")
            charge = {
                "charge_id": charge_id,
                "provider_order_id": order_id,
                "state": "captured" if outcome == "success" else "failed",
                "amount": order["amount"],
                "currency": order["currency"],
                "at": _now(),
            }
            if outcome == "success":
                charge["fee"], order["paid"] = order["amount"] // 50, True
            else:
                charge |= {"failure": "card_declined", "failure_text": "The card was declined."}
            self.charges[charge_id] = charge
        self.tell("paid" if outcome == "success" else "declined", order_id, charge_id)
        return charge

    def refund(self, charge_id: str, amount: int, reference: str = "") -> Json:
        with self._lock:
            charge = self.charges.get(charge_id)
            if charge is None or charge["state"] != "captured":
                raise Refusal(404, "no such charge")
            if amount + self._refunded(charge_id) > charge["amount"]:
                raise Refusal(422, "more than is left of the charge")
            refund = {
                "refund_id": self._id("re"),
                "charge_id": charge_id,
                "state": "succeeded",
                "amount": amount,
                "currency": charge["currency"],
                "reference": reference,
                "at": _now(),
            }
            self.refunds[refund["refund_id"]] = refund
        self.tell("refunded", charge["provider_order_id"], charge_id)
        return refund

    def pay_out(self) -> None:
        """All that is left goes to the bank; no line says that it was in it."""
        with self._lock:
            lines = self._listed("lines")
            total = sum(line["net"] for line in lines)
            row = {"at": _now(), "currency": lines[0]["currency"]}
            id_ = self._id("po")
            paid_out = _line("payout", "", row, -total, 0) | {"line_id": id_, "settlement_id": id_}
            self.payouts.append(paid_out)

    def tell(self, kind: str, order_id: str, charge_id: str, account: str = ACCOUNT) -> None:
        """A signed webhook, sent once."""
        event = {"id": self._id("ev"), "type": kind, "account": account, "order_id": order_id}
        body = json.dumps(event | {"charge_id": charge_id}).encode()
        signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-TillPay-Signature": signature}
        request = urllib.request.Request(self.webhook_url, body, headers)
        with suppress(OSError), urllib.request.urlopen(request, timeout=5):
            pass

    def _refunded(self, charge_id: str) -> int:
        ours = [each for each in self.refunds.values() if each["charge_id"] == charge_id]
        return sum(each["amount"] for each in ours if each["state"] != "failed")

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):012d}"

    # --- the API ------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, str], body: Json, key: str) -> Any:
        with self._lock:
            if method == "POST":
                if key not in self.answers:
                    self.answers[key] = self._create(body) if path == "/orders" else self._give_back(body)
                return self.answers[key]
            kind, _, wanted = path.strip("/").partition("/")
            if kind == "orders":
                return self._view(wanted) if wanted else self._referenced(query["reference"])
            if wanted:
                return _known({"charges": self.charges}.get(kind, {}), wanted)
            return _page(self._listed(kind), query)

    def _create(self, body: Json) -> Json:
        order_id = self._id("or")
        self.orders[order_id] = {"provider_order_id": order_id, **body, "paid": False}
        return self._view(order_id)

    def _give_back(self, body: Json) -> Json:
        return self.refund(body["charge_id"], body["amount"], body["reference"])

    def _view(self, order_id: str) -> Json:
        order = dict(_known(self.orders, order_id))
        charges = [c for c in self.charges.values() if c["provider_order_id"] == order_id]
        ids = {charge["charge_id"] for charge in charges}
        refunds = [dict(r) for r in self.refunds.values() if r["charge_id"] in ids]
        return {"order": order, "charges": charges, "refunds": refunds}

    def _referenced(self, reference: str) -> Json:
        return {"items": [order for order in self.orders.values() if order["reference"] == reference]}

    def _listed(self, kind: str) -> list[Json]:
        captured = [c for c in self.charges.values() if c["state"] == "captured"]
        if kind == "lines":
            lines = [_line("payment", c["charge_id"], c, c["amount"], c["fee"]) for c in captured]
            lines += [
                _line("refund", r["charge_id"], r, -r["amount"], 0) | {"refund_id": r["refund_id"]}
                for r in self.refunds.values()
            ]
            return lines + self.payouts
        rows = {"charges": self.charges, "refunds": self.refunds, "disputes": {}}
        return [*rows[kind].values()]


def _known(rows: dict[str, Json], wanted: str) -> Json:
    if wanted not in rows:
        raise Refusal(404, "there is nothing under this id")
    return rows[wanted]


def _page(rows: list[Json], query: dict[str, str]) -> Json:
    skip, count = int(query["skip"]), int(query["count"])
    since, until = (datetime.fromisoformat(query[name]) for name in ("since", "until"))
    inside = [row for row in rows if since <= datetime.fromisoformat(row["at"]) < until]
    return {"items": inside[skip : skip + count]}


def _line(kind: str, charge_id: str, row: Json, amount: int, fee: int) -> Json:
    line_id = f"{kind}:{row.get('refund_id', charge_id)}"
    money = {"amount": amount, "fee": fee, "net": amount - fee, "currency": row["currency"]}
    return {"line_id": line_id, "kind": kind, "at": row["at"], "charge_id": charge_id, **money}


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # callers at once


@contextmanager
def serving(webhook_url: str) -> Iterator[tuple[TillPay, str]]:
    """TillPay and its address."""
    till = TillPay(webhook_url)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            split = urlsplit(self.path)
            call, effects = till.fault or ("", {})
            struck = effects if call == f"{self.command} {split.path}" else {}
            if struck.get("status_429"):
                return self._say(429, {"error": "slow down"}, str(struck["retry_after_s"]))
            try:
                key = self.headers.get("Idempotency-Key", "")
                said = till.answer(self.command, split.path, dict(parse_qsl(split.query)), body, key)
            except Refusal as refusal:
                return self._say(refusal.status, {"error": refusal.words})
            if struck.get("act_then_drop"):
                self.close_connection = True
                return None
            return self._say(200, said)

        def do_GET(self) -> None:
            self.do_POST()

        def _say(self, status: int, said: Any, retry_after_s: str = "") -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if retry_after_s:
                self.send_header("Retry-After", retry_after_s)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield till, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
