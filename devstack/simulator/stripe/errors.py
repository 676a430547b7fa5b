"""Stripe's refusals: one exception, one body."""

import msgspec


class ApiError(Exception):
    """A call that Stripe refuses, with the body that it answers.

    `executed`: the endpoint had begun its work, so the answer is kept under the idempotency key.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        charge: str | None = None,
        executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        known = {"code": code, "decline_code": decline_code, "param": param, "charge": charge}
        self.error: dict[str, object] = {name: value for name, value in known.items() if value is not None}
        if code is not None:
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        self.error |= {"message": message, "type": type}

    def body(self) -> bytes:
        return msgspec.json.encode({"error": self.error})


def missing(kind: str, row_id: str, param: str) -> ApiError:
    return ApiError(f"No such {kind}: '{row_id}'", status=404, code="resource_missing", param=param)


def unexpected_state(status: str, action: str) -> ApiError:
    return ApiError(
        f"You cannot {action} this PaymentIntent because it has a status of {status}.",
        code="payment_intent_unexpected_state",
        executed=True,
    )


# What a decline says to the buyer (docs, Decline codes).
DECLINES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}
AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. "
    "Please choose a different payment method and try again."
)
DEBIT_FAILED = "The customer's account has insufficient funds to cover this payment."
