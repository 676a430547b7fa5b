"""What callers may send, checked in Stripe's words."""

import re

import msgspec

from devstack.simulator.stripe.currencies import (
    AMOUNT_MAX,
    MINIMUMS,
    THREE_DECIMALS,
    WHOLE_ONLY,
    decimals,
    shown,
)
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.forms import Fields, texts

INTENT_FIELDS = frozenset(
    """allowed_payment_method_types amount automatic_payment_methods capture_method confirm currency
    customer description
    error_on_requires_action expand metadata off_session payment_method payment_method_data
    payment_method_types receipt_email return_url setup_future_usage shipping statement_descriptor
    statement_descriptor_suffix""".split()
)


class IntentRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A valid intent."""

    amount: int
    currency: str
    capture_method: str
    metadata: dict[str, str]
    description: str | None
    receipt_email: str | None
    method_types: list[str]
    automatic_methods: bool
    confirm: bool


def intent_request(fields: Fields) -> IntentRequest:
    only(fields, INTENT_FIELDS)
    currency = _currency(fields)
    capture_method = str(fields.get("capture_method", "automatic_async"))
    if capture_method not in ("automatic", "automatic_async", "manual"):
        raise ApiError(
            "Invalid capture_method: must be one of automatic, automatic_async, or manual",
            param="capture_method",
        )
    # The name of this API version, and the one that it had before.
    types = texts(fields.get("allowed_payment_method_types")) or texts(fields.get("payment_method_types"))
    automatic = fields.get("automatic_payment_methods")
    enabled = isinstance(automatic, dict) and automatic.get("enabled") == "true"
    if types and enabled:
        raise ApiError(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
        )
    return IntentRequest(
        amount=_charge_amount(fields, currency),
        currency=currency,
        capture_method=capture_method,
        metadata=metadata(fields),
        description=_text(fields, "description"),
        receipt_email=_text(fields, "receipt_email"),
        method_types=types or ["card", "sepa_debit", "ideal"],
        automatic_methods=not types,
        confirm=fields.get("confirm") == "true",
    )


def integer(value: object, param: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    raise ApiError(f"Invalid integer: {str(value)[:80]}", code="parameter_invalid_integer", param=param)


def positive(fields: Fields, param: str) -> int:
    """An amount of money that moves."""
    amount = integer(fields[param], param)
    if amount < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param
        )
    return amount


def metadata(fields: Fields) -> dict[str, str]:
    """Up to 50 pairs, keys to 40 characters, values to 500 (docs, Metadata)."""
    value = fields.get("metadata") or {}
    if not isinstance(value, dict):
        raise ApiError("Invalid hash", param="metadata")
    if len(value) > 50:
        raise ApiError("You can have up to 50 metadata keys.", param="metadata")
    for key, text in value.items():
        if len(key) > 40:
            raise ApiError("Metadata keys must be under 40 characters.", param="metadata")
        if len(str(text)) > 500:
            raise ApiError(f"Metadata values must be under 500 characters, but {key} is not.")
    return {key: str(text) for key, text in value.items() if text != ""}


def only(fields: Fields, known: frozenset[str]) -> None:
    for name in fields:
        if name not in known:
            raise ApiError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def required(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def _currency(fields: Fields) -> str:
    currency = required(fields, "currency").lower()
    if decimals(currency) is None:
        raise ApiError(f"Invalid currency: {currency[:20]}.", param="currency")
    return currency


def _charge_amount(fields: Fields, currency: str) -> int:
    required(fields, "amount")
    amount = positive(fields, "amount")
    if amount > AMOUNT_MAX:
        raise ApiError(
            f"Amount must be no more than {shown(AMOUNT_MAX, currency)}",
            code="amount_too_large",
            param="amount",
        )
    least = MINIMUMS.get(currency, 1)
    if amount < least:
        raise ApiError(
            f"Amount must be at least {shown(least, currency)}", code="amount_too_small", param="amount"
        )
    step = 100 if currency in WHOLE_ONLY else 10 if currency in THREE_DECIMALS else 1
    if amount % step:
        raise ApiError(
            f"Invalid amount: in {currency} it must be a multiple of {step}.",
            code="parameter_invalid_integer",
            param="amount",
        )
    return amount


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
