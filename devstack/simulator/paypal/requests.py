"""What callers may send, checked as PayPal does."""

from typing import cast

import msgspec

from devstack.simulator.paypal import amounts
from devstack.simulator.paypal.amounts import MISSING
from devstack.simulator.paypal.errors import invalid, unprocessable

Body = dict[str, object]
_UNIT = "/purchase_units/0"


class OrderRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A valid order of one purchase unit."""

    amount: int
    currency: str
    reference_id: str
    custom_id: str | None
    invoice_id: str | None
    description: str | None
    brand_name: str | None
    return_url: str
    cancel_url: str
    wallet: bool


class RefundRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A valid refund; no amount means all that is left."""

    amount: int | None = None
    currency: str | None = None
    custom_id: str | None = None
    invoice_id: str | None = None
    note: str | None = None


def json_object(body: bytes) -> Body:
    """The body as an object; an empty body is an empty object."""
    if not body:
        return {}
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("/", "MALFORMED_REQUEST_JSON") from error
    if not isinstance(decoded, dict):
        raise invalid("/", "MALFORMED_REQUEST_JSON")
    return cast("Body", decoded)


def order_request(body: bytes) -> OrderRequest:
    fields = json_object(body)
    if fields.get("intent") != "CAPTURE":
        # AUTHORIZE exists at PayPal and is not simulated.
        raise invalid("/intent", "INVALID_PARAMETER_VALUE" if fields.get("intent") else MISSING)
    units = fields.get("purchase_units")
    if not isinstance(units, list) or not units:
        raise invalid("/purchase_units", MISSING)
    if len(units) > 1:
        raise unprocessable("UNSUPPORTED_INTENT_FOR_MULTIPLE_PURCHASE_UNIT", "/purchase_units")
    unit = _object(units[0], _UNIT)
    amount, currency = amounts.read(unit.get("amount"), f"{_UNIT}/amount")
    wallet, context = _context(fields)
    return OrderRequest(
        amount=amount,
        currency=currency,
        reference_id=_text(unit, "reference_id", 256, _UNIT) or "default",
        custom_id=_text(unit, "custom_id", 255, _UNIT),
        invoice_id=_text(unit, "invoice_id", 127, _UNIT),
        description=_text(unit, "description", 127, _UNIT),
        brand_name=_text(context, "brand_name", 127, "/payment_source/paypal/experience_context"),
        return_url=_url(context, "return_url"),
        cancel_url=_url(context, "cancel_url"),
        wallet=wallet,
    )


def refund_request(body: bytes) -> RefundRequest:
    fields = json_object(body)
    amount, currency = None, None
    if fields.get("amount") is not None:
        amount, currency = amounts.read(fields["amount"], "/amount")
    return RefundRequest(
        amount=amount,
        currency=currency,
        custom_id=_text(fields, "custom_id", 127, ""),
        invoice_id=_text(fields, "invoice_id", 127, ""),
        note=_text(fields, "note_to_payer", 255, ""),
    )


def _context(fields: Body) -> tuple[bool, Body]:
    """(whether the order names the wallet, where the payer is to return); the older way is taken too."""
    if fields.get("payment_source") is None:
        return False, _object(fields.get("application_context") or {}, "/application_context")
    source = _object(fields["payment_source"], "/payment_source")
    wallet = _object(source.get("paypal"), "/payment_source/paypal")
    return True, _object(wallet.get("experience_context") or {}, "/payment_source/paypal/experience_context")


def _object(given: object, field: str) -> Body:
    if not isinstance(given, dict):
        raise invalid(field, MISSING if given is None else "INVALID_PARAMETER_VALUE")
    return cast("Body", given)


def _text(fields: Body, name: str, longest: int, field: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise invalid(f"{field}/{name}", "INVALID_STRING_LENGTH")
    return value


def _url(fields: Body, name: str) -> str:
    value = _text(fields, name, 4000, "/payment_source/paypal/experience_context") or ""
    if value and not value.startswith(("https://", "http://")):
        raise invalid(f"/payment_source/paypal/experience_context/{name}", "INVALID_PARAMETER_SYNTAX")
    return value
