"""What callers may send, checked in Razorpay's words."""

from typing import cast

import msgspec

from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.currencies import decimals, minimum
from devstack.simulator.razorpay.entities import CaptureSettings
from devstack.simulator.razorpay.errors import ApiError

_ORDER_FIELDS = {
    "amount",
    "currency",
    "receipt",
    "notes",
    "partial_payment",
    "first_payment_min_amount",
    "payment",
    "payment_capture",
}
_REFUND_FIELDS = {"amount", "speed", "notes", "receipt", "payment_id"}
MINUTE_S = 60.0
MANUAL_EXPIRY_MAX_MIN = 7200
AUTOMATIC_EXPIRY_MIN_MIN = 12

Body = dict[str, object]


class OrderRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A valid order."""

    amount: int
    currency: str
    receipt: str | None
    notes: dict[str, str]
    partial_payment: bool
    capture: CaptureSettings


class RefundRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A valid refund; no amount means all that is left."""

    amount: int | None = None
    speed: str = "normal"
    notes: dict[str, str] = {}
    receipt: str | None = None


def json_object(body: bytes) -> Body:
    """The body as an object; an empty body is an empty object."""
    if not body:
        return {}
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("The request body is not valid JSON.") from error
    if not isinstance(decoded, dict):
        raise ApiError("The request body must be a JSON object.")
    return cast("Body", decoded)


def order_request(body: bytes, account: Account) -> OrderRequest:
    fields = json_object(body)
    _no_extra(fields, _ORDER_FIELDS)
    currency = currency_field(fields)
    amount = amount_field(fields, currency)
    if amount > account.order_amount_max:
        raise ApiError("Amount exceeds maximum amount allowed.", field="amount")
    return OrderRequest(
        amount=amount,
        currency=currency,
        receipt=receipt_field(fields),
        notes=notes_field(fields),
        partial_payment=fields.get("partial_payment") in (True, 1, "1"),
        capture=_capture(fields, account),
    )


def refund_request(body: bytes, currency: str) -> RefundRequest:
    fields = json_object(body)
    _no_extra(fields, _REFUND_FIELDS)
    speed = fields.get("speed", "normal")
    if speed not in ("normal", "optimum"):
        raise ApiError("The selected speed is invalid.", field="speed")
    amount = None if fields.get("amount") is None else amount_field(fields, currency)
    return RefundRequest(
        amount=amount,
        speed=str(speed),
        notes=notes_field(fields),
        receipt=receipt_field(fields),
    )


def amount_field(fields: Body, currency: str) -> int:
    """Minor units; a string of digits is taken too, as the published samples send one."""
    amount = integer_field(fields, "amount")
    least = minimum(currency)
    if amount < least:
        shown = "INR 1.00" if currency == "INR" else f"{currency} {least}"
        raise ApiError(f"The amount must be at least {shown}", field="amount")
    if decimals(currency) == 3 and amount % 10:
        raise ApiError("The last digit of the amount must be 0 for three decimal currencies.", field="amount")
    return amount


def integer_field(fields: Body, name: str) -> int:
    value = fields.get(name)
    if value is None or value == "":
        raise ApiError(f"The {name} field is required.", field=name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(f"The {name} must be an integer.", field=name)
    return value


def currency_field(fields: Body) -> str:
    currency = fields.get("currency")
    if currency is None or currency == "":
        raise ApiError("The currency field is required.", field="currency")
    if not isinstance(currency, str) or len(currency) != 3:
        raise ApiError("The currency must be 3 characters.", field="currency")
    if decimals(currency) is None:
        raise ApiError("Currency is not supported", field="currency")
    return currency


def receipt_field(fields: Body) -> str | None:
    receipt = fields.get("receipt")
    if receipt is None:
        return None
    if not isinstance(receipt, str):
        raise ApiError("The receipt must be a string.", field="receipt")
    if len(receipt) > 40:
        raise ApiError("The receipt may not be greater than 40 characters.", field="receipt")
    return receipt


def notes_field(fields: Body) -> dict[str, str]:
    notes = fields.get("notes")
    if notes in (None, []):
        return {}
    if not isinstance(notes, dict):
        raise ApiError("notes must be an object", field="notes")
    if len(notes) > 15:
        raise ApiError("Number of fields in notes should be less than or equal to 15", field="notes")
    for key, value in notes.items():
        if len(key) > 256 or len(str(value)) > 256:
            raise ApiError(f"notes.{key[:256]} exceeds 256 characters", field="notes")
    return {str(key): str(value) for key, value in notes.items()}


def _no_extra(fields: Body, known: set[str]) -> None:
    extra = [name for name in fields if name not in known]
    if extra:
        raise ApiError(f"{', '.join(extra)} is/are not required and should not be sent")


def _capture(fields: Body, account: Account) -> CaptureSettings:
    """The order's own settings, else the old 0/1 flag, else the account's default."""
    payment = fields.get("payment")
    if payment is not None:
        return _capture_options(payment)
    mode = account.default_capture
    flag = fields.get("payment_capture")
    if flag is not None:
        mode = "automatic" if flag in (1, True, "1") else "manual"
    return CaptureSettings(
        mode=mode,
        automatic_expiry_s=account.uncaptured_refund_after_s,
        manual_expiry_s=account.uncaptured_refund_after_s,
    )


def _capture_options(payment: object) -> CaptureSettings:
    if not isinstance(payment, dict):
        raise ApiError("The payment must be an array.", field="payment")
    mode = payment.get("capture")
    if mode not in ("automatic", "manual"):
        raise ApiError("The selected payment.capture is invalid.", field="payment.capture")
    options = payment.get("capture_options") or {}
    if not isinstance(options, dict):
        raise ApiError("The capture options must be an array.", field="payment.capture_options")
    automatic = MANUAL_EXPIRY_MAX_MIN
    if mode == "automatic" or options.get("automatic_expiry_period") is not None:
        automatic = integer_field(options, "automatic_expiry_period")
        if automatic < AUTOMATIC_EXPIRY_MIN_MIN:
            raise ApiError(
                "The automatic expiry period must be at least 12.", field="automatic_expiry_period"
            )
    manual = MANUAL_EXPIRY_MAX_MIN
    if options.get("manual_expiry_period") is not None:
        manual = integer_field(options, "manual_expiry_period")
    if manual > MANUAL_EXPIRY_MAX_MIN:
        raise ApiError("The manual expiry period may not be greater than 7200.", field="manual_expiry_period")
    automatic_given = options.get("automatic_expiry_period") is not None
    if automatic_given and manual < automatic:
        raise ApiError(
            "The manual expiry period must be greater than or equal to automatic expiry period.",
            field="manual_expiry_period",
        )
    if options and options.get("refund_speed") not in ("normal", "optimum"):
        raise ApiError("The refund speed field is required.", field="refund_speed")
    return CaptureSettings(
        mode="automatic" if mode == "automatic" else "manual",
        automatic_expiry_s=automatic * MINUTE_S,
        manual_expiry_s=manual * MINUTE_S,
    )
