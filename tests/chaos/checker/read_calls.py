"""What each call to a provider's API was about: which of our tasks may make it, and what it shows.

Paths and keys are typed from the providers' documents; task keys from ours (docs/invariants.md, S24).
"""

import re
from typing import Any
from urllib.parse import parse_qs

from tests.chaos.checker.ledger import Call

Row = dict[str, Any]
About = tuple[str, tuple[str, ...]]  # the task's key, and what it is about

NOTHING: About = ("", ())
TOKENS = "/v1/oauth2/token"  # asked for with POST, and changes nothing
# Nothing is done twice by doing these twice: under one key PayPal has one order (PayPal docs, Idempotency),
# and an intent is cancelled once.
REPEATABLE = "repeatable"
# (path, key of the task that may write there, what shows whether it was done). Of a refund our books name
# the charge that it is about.
_WRITES = (
    (r"/v1/orders", "open:{receipt}", "{receipt}"),
    (r"/v1/payments/(\w+)/capture", "capture:razorpay:{id}", "{id}"),
    (r"/v1/payments/(\w+)/refund", "refund:{key}", "refunds of {id}"),
    (r"/stripe/v1/payment_intents", "open:{first_key}", "intents"),
    (r"/stripe/v1/payment_intents/\w+/capture", "capture:stripe:{charge}", "{charge}"),
    (r"/stripe/v1/payment_intents/\w+/cancel", "cancel:{attempt}", REPEATABLE),
    (r"/stripe/v1/refunds", "refund:{key}", ""),
    (r"/v2/checkout/orders", "open:{key}", REPEATABLE),
    (r"/v2/checkout/orders/(\w+)/capture", "capture:{approval}", "{id}"),
    (r"/v2/payments/captures/(\w+)/refund", "refund:{key}", "refunds of {id}"),
)


def call(row: Row) -> Call:
    """One row of the ledger."""
    method = "GET" if row["path"] == TOKENS else row["method"]
    operation, about = _read(row) if method == "GET" else _written(row)
    return Call(
        at=row["at"],
        method=method,
        path=row["path"],
        body_sha256=row["body_sha256"],
        acted=row["acted"],
        answered=row["answer"] == "sent" and row["fault"] in (None, "delay", "hold"),
        result=row["result"],
        operation=operation,
        about=about,
    )


def _read(row: Row) -> About:
    """What a look shows: one object, or the refunds of one."""
    path, query = row["path"], parse_qs(row["query"])
    if path == "/v1/orders":
        return "", tuple(query.get("receipt", ()))
    if path == "/stripe/v1/payment_intents":
        return "", ("intents",)
    if path == "/stripe/v1/refunds":
        return "", tuple(f"refunds of {intent}" for intent in query.get("payment_intent", ()))
    if found := re.fullmatch(r"/v1/payments/(\w+)/refunds", path):
        return "", (f"refunds of {found[1]}",)
    about = path.rpartition("/")[2]
    if path.startswith("/v2/checkout/orders/"):
        return "", (about, f"refunds of {about}")
    return "", (about,)


def _written(row: Row) -> About:
    """Whose write this is; NOTHING when none of ours writes there."""
    key = row["idempotency_key"] or ""
    words = {
        "key": key,
        "receipt": row["identity"].rpartition(" ")[2],
        "first_key": key.removesuffix("-2"),  # a create may get a second key, once its list shows none
        "charge": key.removeprefix("capture-"),
        "attempt": key.removeprefix("cancel-"),
        "approval": ":".join(key.rsplit("-c", 1)),
    }
    for pattern, operation, about in _WRITES:
        if found := re.fullmatch(pattern, row["path"]):
            words["id"] = found[1] if found.re.groups else ""
            return operation.format(**words), (about.format(**words),)
    return NOTHING
