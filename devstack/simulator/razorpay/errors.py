"""Razorpay's refusals: one exception, one body."""

import msgspec

from devstack.simulator.razorpay.entities import PaymentError

ORDER_PAID = (
    "Your payment has been declined as the order is already paid. "
    "Please initiate the payment with a new order."
)


class ApiError(Exception):
    """A call that Razorpay refuses, with the body that it answers."""

    def __init__(
        self,
        description: str,
        *,
        status: int = 400,
        code: str = "BAD_REQUEST_ERROR",
        field: str | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        known = field is not None
        self.error: dict[str, object] = {
            "code": code,
            "description": description,
            "source": "business" if known else "NA",
            "step": "payment_initiation" if known else "NA",
            "reason": "input_validation_failed" if known else "NA",
            "metadata": {},
        }
        if known:
            self.error["field"] = field

    def body(self) -> bytes:
        return msgspec.json.encode({"error": self.error})


def unknown_id() -> ApiError:
    return ApiError("The id provided does not exist")


def _failure(reason: str, description: str, source: str, step: str, code: str) -> PaymentError:
    return PaymentError(code=code, description=description, source=source, step=step, reason=reason)


_BAD = "BAD_REQUEST_ERROR"
_AUTHORIZATION = "payment_authorization"
_AUTHENTICATION = "payment_authentication"

# Reasons of the published test cards and their usual words (Razorpay docs, Error codes).
FAILURES: dict[str, PaymentError] = {
    failure.reason: failure
    for failure in (
        _failure("payment_failed", "Payment failed", "issuer", _AUTHORIZATION, _BAD),
        _failure(
            "payment_timed_out",
            "Payment was not completed on time.",
            "customer",
            _AUTHENTICATION,
            _BAD,
        ),
        _failure(
            "insufficient_fund",
            "Your payment could not be completed due to insufficient account balance. "
            "Try again with another card or payment method.",
            "customer",
            _AUTHORIZATION,
            _BAD,
        ),
        _failure(
            "payment_cancelled",
            "You may have cancelled the payment or there was a delay in response from the bank.",
            "customer",
            _AUTHENTICATION,
            _BAD,
        ),
        _failure(
            "card_declined",
            "Your payment did not go through as your card was declined by the bank. "
            "Try another payment method or contact your bank.",
            "bank",
            _AUTHORIZATION,
            _BAD,
        ),
        _failure(
            "card_disabled_for_online_payments",
            "Your card is not enabled for online payments. Try another payment method.",
            "customer",
            _AUTHORIZATION,
            _BAD,
        ),
        _failure(
            "card_number_invalid",
            "You have entered an incorrect card number. Try again.",
            "customer",
            "payment_initiation",
            _BAD,
        ),
        _failure(
            "incorrect_otp",
            "You have entered an incorrect OTP. Try again.",
            "customer",
            _AUTHENTICATION,
            _BAD,
        ),
        _failure(
            "gateway_technical_error",
            "Your payment could not be completed due to a temporary technical issue. Try again later.",
            "gateway",
            _AUTHORIZATION,
            "GATEWAY_ERROR",
        ),
        _failure(
            "authentication_failed",
            "Your payment could not be completed as the card could not be authenticated.",
            "gateway",
            _AUTHENTICATION,
            "GATEWAY_ERROR",
        ),
    )
}
