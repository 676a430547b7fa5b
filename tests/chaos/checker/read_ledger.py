"""The simulator's ledger file: one line per action, the newest row of an id is its state."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.chaos.checker import read_calls
from tests.chaos.checker.ledger import Capture, GivenBack, Ledger, ProviderOrder, SentWebhook

Row = dict[str, Any]
Tables = dict[tuple[str, str], dict[str, Row]]  # (provider, kind) → id → row

_ENDED = {"processed": "succeeded", "COMPLETED": "succeeded", "succeeded": "succeeded",
          "failed": "failed", "FAILED": "failed", "canceled": "failed"}  # fmt: skip
_TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")  # what PayPal calls a capture with money in it


def read_ledger(path: Path) -> Ledger:
    """The file as it stands; a last line that is still being written is left out."""
    tables: Tables = defaultdict(dict)
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        for change in json.loads(line)["changes"]:
            tables[change["provider"], change["kind"]][change["row"]["id"]] = change["row"]
    deliveries = _all(tables, "delivery")
    return Ledger(
        orders=(*_razorpay_orders(tables), *_stripe_orders(tables), *_paypal_orders(tables)),
        captures=(*_razorpay_captures(tables), *_stripe_captures(tables), *_paypal_captures(tables)),
        given_back=(*_razorpay_refunds(tables), *_stripe_refunds(tables), *_paypal_refunds(tables)),
        calls=tuple(read_calls.call(row) for _, row in sorted(_all(tables, "call").items())),
        webhooks=tuple(_webhook(row, deliveries[id_]) for id_, row in _all(tables, "webhook").items()),
        bites=len(_all(tables, "bite")),
    )


def _all(tables: Tables, kind: str) -> dict[str, Row]:
    """Rows of one kind, whichever provider they are noted under."""
    return {id_: row for (_, name), rows in tables.items() if name == kind for id_, row in rows.items()}


def _rows(tables: Tables, provider: str, kind: str) -> Iterable[Row]:
    return tables[provider, kind].values()


def _razorpay_orders(tables: Tables) -> Iterable[ProviderOrder]:
    for row in _rows(tables, "razorpay", "order"):
        our_order = str((row["notes"] or {}).get("order_id", row["receipt"] or row["id"]))
        yield ProviderOrder(row["id"], row["receipt"] or "", our_order, row["amount"], row["currency"])


def _stripe_orders(tables: Tables) -> Iterable[ProviderOrder]:
    for row in _rows(tables, "stripe", "payment_intent"):
        named = row["metadata"]
        our_order = named.get("order_id", row["id"])
        currency = row["currency"].upper()
        yield ProviderOrder(row["id"], named.get("reference", ""), our_order, row["amount"], currency)


def _paypal_orders(tables: Tables) -> Iterable[ProviderOrder]:
    for row in _rows(tables, "paypal", "order"):
        our_order = row["custom_id"] or row["id"]
        yield ProviderOrder(row["id"], row["invoice_id"] or "", our_order, row["amount"], row["currency"])


def _razorpay_captures(tables: Tables) -> Iterable[Capture]:
    for row in _rows(tables, "razorpay", "capture"):
        yield Capture(row["payment_id"], row["order_id"], row["amount"], row["currency"])


def _stripe_captures(tables: Tables) -> Iterable[Capture]:
    for row in _rows(tables, "stripe", "charge"):
        if row["captured"] and row["status"] == "succeeded":
            yield Capture(row["id"], row["intent_id"], row["amount_captured"], row["currency"].upper())


def _paypal_captures(tables: Tables) -> Iterable[Capture]:
    for row in _rows(tables, "paypal", "capture"):
        if row["status"] in _TAKEN:
            yield Capture(row["id"], row["order_id"], row["amount"], row["currency"])


def _razorpay_refunds(tables: Tables) -> Iterable[GivenBack]:
    captured = {row["payment_id"] for row in _rows(tables, "razorpay", "capture")}
    for row in _rows(tables, "razorpay", "refund"):
        if row["payment_id"] in captured:  # else an authorisation that Razorpay let go by itself
            yield _given_back(row, row["receipt"], row["payment_id"])


def _stripe_refunds(tables: Tables) -> Iterable[GivenBack]:
    captured = {row.charge_id for row in _stripe_captures(tables)}
    for row in _rows(tables, "stripe", "refund"):
        if row["charge_id"] in captured:
            yield _given_back(row, row["metadata"].get("reference"), row["charge_id"])


def _paypal_refunds(tables: Tables) -> Iterable[GivenBack]:
    for row in _rows(tables, "paypal", "refund"):
        yield _given_back(row, row["custom_id"], row["capture_id"])


def _given_back(row: Row, reference: str | None, charge_id: str) -> GivenBack:
    state = _ENDED.get(row["status"], "pending")
    currency = row["currency"].upper()
    return GivenBack(row["id"], reference or "", charge_id, row["amount"], currency, state)  # type: ignore[arg-type]  # one of three words


def _webhook(row: Row, delivery: Row) -> SentWebhook:
    answers = tuple(attempt["status"] for attempt in delivery["tries"])
    return SentWebhook(row["id"], row["event"], row["body"], delivery["state"], answers)
