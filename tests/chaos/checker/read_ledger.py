"""The simulator's ledger file: one line per action, the newest row of an id is its state."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.chaos.checker.evidence import Call, Capture, Ledger, ProviderOrder, SentWebhook

Rows = dict[str, dict[str, Any]]


def read_ledger(path: Path) -> Ledger:
    """The file as it stands; a last line that is still being written is left out."""
    tables: dict[str, Rows] = defaultdict(dict)
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        for change in json.loads(line)["changes"]:
            tables[change["kind"]][change["row"]["id"]] = change["row"]
    return Ledger(
        orders=tuple(_order(row) for row in tables["order"].values()),
        captures=tuple(
            Capture(row["payment_id"], row["order_id"], row["amount"], row["currency"])
            for row in tables["capture"].values()
        ),
        refunded=_refunded(tables["refund"]),
        calls=tuple(_call(row) for _, row in sorted(tables["call"].items())),
        webhooks=tuple(_webhook(row, tables["delivery"][id_]) for id_, row in tables["webhook"].items()),
        bites=len(tables["bite"]),
    )


def _order(row: dict[str, Any]) -> ProviderOrder:
    notes = row["notes"] or {}
    our_order = notes.get("order_id", row["receipt"] or row["id"])
    return ProviderOrder(row["id"], row["receipt"] or "", our_order, row["amount"], row["currency"])


def _refunded(rows: Rows) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows.values():
        if row["status"] != "failed":
            found[row["payment_id"]] += row["amount"]
    return found


def _call(row: dict[str, Any]) -> Call:
    """The receipt of a create stands in the call's stable name; that of a look in its query."""
    reference = parse_qs(row["query"]).get("receipt", [""])[0]
    if (row["method"], row["path"]) == ("POST", "/v1/orders"):
        reference = row["identity"].rpartition(" ")[2]
    return Call(
        at=row["at"],
        method=row["method"],
        path=row["path"],
        reference=reference,
        body_sha256=row["body_sha256"],
        acted=row["acted"],
        answered=row["answer"] == "sent" and row["fault"] in (None, "delay", "hold"),
        result=row["result"],
    )


def _webhook(row: dict[str, Any], delivery: dict[str, Any]) -> SentWebhook:
    answers = tuple(attempt["status"] for attempt in delivery["tries"])
    return SentWebhook(row["id"], row["event"], row["body"], delivery["state"], answers)
