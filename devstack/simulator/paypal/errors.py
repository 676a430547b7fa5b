"""PayPal's refusals: one exception, one body. Programs key on the issue, so texts are short here."""

import msgspec

_MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "AUTHENTICATION_FAILURE": "Authentication failed due to invalid authentication credentials or a missing "
    "Authorization header.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "RESOURCE_CONFLICT": "The server has detected a conflict while processing this request.",
    "UNPROCESSABLE_ENTITY": "The requested action could not be performed, semantically incorrect, or failed "
    "business validation.",
    "RATE_LIMIT_REACHED": "Too many requests. Blocked due to rate limiting.",
    "INTERNAL_SERVER_ERROR": "An internal server error has occurred.",
    "SERVICE_UNAVAILABLE": "Service Unavailable.",
}
_NAMES = {
    400: "INVALID_REQUEST",
    401: "AUTHENTICATION_FAILURE",
    404: "RESOURCE_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    422: "UNPROCESSABLE_ENTITY",
    429: "RATE_LIMIT_REACHED",
    503: "SERVICE_UNAVAILABLE",
}
# The issues' own words where a person may read them (PayPal docs, Orders v2, Errors).
DESCRIPTIONS = {
    "INSTRUMENT_DECLINED": "The instrument presented was either declined by the processor or bank, or it "
    "can't be used for this payment.",
    "ORDER_NOT_APPROVED": "Payer has not yet approved the Order for payment.",
    "ORDER_ALREADY_CAPTURED": "Order already captured. Only one capture per order is allowed.",
    "ORDER_EXPIRED": "The order has expired and can no longer be captured.",
    "DUPLICATE_INVOICE_ID": "Requested invoice number has been previously captured.",
    "REFUND_AMOUNT_EXCEEDED": "The refund amount must not exceed what is left of the capture.",
    "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded.",
    "PENDING_CAPTURE": "Cannot initiate a refund as the capture is pending.",
}


class ApiError(Exception):
    """A call that PayPal refuses, with the body that it answers but for the debug id."""

    def __init__(self, status: int, details: list[dict[str, str]] | None = None) -> None:
        self.status = status
        self.name = _NAMES.get(status, "INTERNAL_SERVER_ERROR")
        self.details = details or []
        super().__init__(f"{self.name} {self.issue}".strip())

    @property
    def issue(self) -> str:
        return self.details[0]["issue"] if self.details else ""

    def body(self, debug_id: str) -> bytes:
        shown: dict[str, object] = {
            "name": self.name,
            "message": _MESSAGES[self.name],
            "debug_id": debug_id,
            "links": [],
        }
        if self.details:
            shown["details"] = self.details
        return msgspec.json.encode(shown)


def unprocessable(issue: str, field: str | None = None, description: str = "") -> ApiError:
    """422: understood, and refused."""
    detail = {"issue": issue, "description": description or DESCRIPTIONS.get(issue, issue)}
    return ApiError(422, [detail if field is None else {"field": field, **detail}])


def invalid(field: str, issue: str) -> ApiError:
    """400: not understood."""
    return ApiError(400, [{"field": field, "location": "body", "issue": issue, "description": issue}])


def not_found() -> ApiError:
    text = "Specified resource ID does not exist. Please check the resource ID and try again."
    return ApiError(404, [{"issue": "INVALID_RESOURCE_ID", "description": text}])


def in_progress() -> ApiError:
    text = "A previous request on this resource is currently in progress."
    return ApiError(409, [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS", "description": text}])
