"""Every way in which the gateway says no: one published table, and its RFC 9457 form.

Services answer with codes, not with HTTP; here each code gets its status and whether the very same
request may be repeated. docs/http.md lists this table, and a test compares the two.
"""

from dataclasses import dataclass

import msgspec

from shared.errors import PaystreamError, Rejected, Unavailable


@dataclass(frozen=True, slots=True)
class ProblemType:
    status: int
    title: str
    retryable: bool = False


TABLE = {
    # --- the request cannot be read ---------------------------------------------------------------------
    "malformed-http": ProblemType(400, "The request is not valid HTTP"),
    "bad-host": ProblemType(400, "Exactly one Host header is needed"),
    "not-json": ProblemType(400, "The body is not valid JSON"),
    "not-utf-8": ProblemType(400, "The body is not valid UTF-8"),
    "empty-body": ProblemType(400, "A body is needed"),
    "duplicate-key": ProblemType(400, "A key occurs twice in the body"),
    "unknown-field": ProblemType(400, "The body has a field that is not known here"),
    "not-an-object": ProblemType(400, "The body must be a JSON object"),
    "bad-proof": ProblemType(400, "The checkout's answer is not complete"),
    "bad-signature": ProblemType(400, "The signature does not hold"),
    "not-an-event": ProblemType(400, "The body is not an event of this provider"),
    "bad-request": ProblemType(400, "The request cannot be understood"),
    "idempotency-key-missing": ProblemType(400, "An Idempotency-Key is needed"),
    "idempotency-key-malformed": ProblemType(400, "The Idempotency-Key cannot be used"),
    "client-disconnected": ProblemType(400, "The request ended before it was whole"),
    # --- who asks ---------------------------------------------------------------------------------------
    "unauthorized": ProblemType(401, "A valid checkout token or API key is needed"),
    "scope-missing": ProblemType(403, "This credential may not make this call"),
    # --- the resource -----------------------------------------------------------------------------------
    "not-found": ProblemType(404, "There is nothing at this address"),
    "order-not-found": ProblemType(404, "There is no such order"),
    "refund-not-found": ProblemType(404, "There is no such refund"),
    "method-not-allowed": ProblemType(405, "This address does not take this method"),
    # --- the transport ----------------------------------------------------------------------------------
    "request-timeout": ProblemType(408, "The request did not arrive in time", retryable=True),
    "body-too-slow": ProblemType(408, "The body did not arrive in time", retryable=True),
    "body-too-large": ProblemType(413, "The body is too large"),
    "uri-too-long": ProblemType(414, "The address is too long"),
    "unsupported-media-type": ProblemType(415, "The body must be application/json in UTF-8"),
    "encoded-body": ProblemType(415, "A compressed body is not taken"),
    "misdirected": ProblemType(421, "This host is not served here"),
    "rate-limited": ProblemType(429, "Too many requests", retryable=True),
    "headers-too-large": ProblemType(431, "The headers are too large"),
    # --- a rule says no ---------------------------------------------------------------------------------
    "already-paid": ProblemType(409, "The order is paid"),
    "order-closed": ProblemType(409, "The order is closed for payment"),
    "order-already-started": ProblemType(409, "The order has a payment attempt and cannot change any more"),
    "attempt-in-flight": ProblemType(409, "Another payment attempt may still move money"),
    "attempt-mismatch": ProblemType(409, "This payment does not belong to this order"),
    "instrument-declined": ProblemType(409, "The buyer has to choose another way to pay"),
    "not-paid": ProblemType(409, "The order is not paid"),
    "dispute-open": ProblemType(409, "The payment is disputed: a refund has to wait for the end of it"),
    "nothing-to-capture": ProblemType(409, "No authorised money waits to be captured"),
    "capture-in-progress": ProblemType(409, "The money is being captured"),
    "in-progress": ProblemType(409, "The first request with this key still runs", retryable=True),
    "outcome-unknown": ProblemType(409, "The outcome of an earlier call is not known yet", retryable=True),
    "idempotency-key-reused": ProblemType(422, "The Idempotency-Key was used for another request"),
    "nothing-to-refund": ProblemType(422, "Nothing is left to refund"),
    "refund-exceeds-remaining": ProblemType(422, "The amount is more than what is left to refund"),
    "capture-exceeds-authorized": ProblemType(422, "The amount is more than what is authorised"),
    "not-supported-by-provider": ProblemType(422, "The provider cannot do this"),
    "wrong-value": ProblemType(422, "A value is not allowed"),
    "text-not-allowed": ProblemType(422, "A text has characters that are not allowed"),
    "unknown-parameter": ProblemType(422, "A query parameter is not known here"),
    "cursor-invalid": ProblemType(422, "The cursor cannot be used; start again with updatedSince"),
    "amount-mismatch": ProblemType(422, "The lines do not add up to the amount"),
    "amount-out-of-range": ProblemType(422, "The provider does not take this amount"),
    "amount-not-representable": ProblemType(422, "The provider cannot express this amount"),
    "currency-not-supported": ProblemType(422, "The provider does not take this currency"),
    "provider-unknown": ProblemType(422, "This provider is not offered"),
    "provider-rejected": ProblemType(422, "The provider refuses this payment"),
    # --- not now ----------------------------------------------------------------------------------------
    "internal": ProblemType(500, "Something went wrong on our side"),
    "kafka-unavailable": ProblemType(503, "The request cannot be taken now", retryable=True),
    "database-unavailable": ProblemType(503, "The status cannot be read now", retryable=True),
    "order-on-its-way": ProblemType(503, "The order is known to the shop and not here yet", retryable=True),
    "overloaded": ProblemType(503, "Too much is going on at once", retryable=True),
    "expired": ProblemType(503, "The command came too late; nothing was done", retryable=True),
    "webhook-unverifiable": ProblemType(503, "The signature cannot be judged now", retryable=True),
    "provider-unavailable": ProblemType(503, "The provider cannot be reached", retryable=True),
    "provider-rate-limited": ProblemType(503, "The provider asks us to slow down", retryable=True),
    "provider-misconfigured": ProblemType(503, "The provider refuses our credentials", retryable=True),
    "provider-outcome-unknown": ProblemType(504, "The provider's answer did not arrive", retryable=True),
}

CONTENT_TYPE = b"application/problem+json"
RETRY_AFTER_S = 1.0


class Refused(Rejected):
    """A service's no, with what may be told besides: the amount that is left to refund."""

    def __init__(self, code: str, detail: str = "", refundable: int | None = None) -> None:
        super().__init__(code, detail)
        self.refundable = refundable


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """RFC 9457, with our stable `code` and whether the same request may be repeated.

    `refundable`: what is left to refund, in minor units, when a refund asked for more.
    """

    type: str
    title: str
    status: int
    code: str
    retryable: bool
    detail: str = ""
    retry_after_s: float | None = None
    refundable: int | None = None


def problem(error: PaystreamError) -> Problem:
    """The answer to an error by its code; a code that nobody published is a bug and says nothing."""
    code = error.code if error.code in TABLE else "internal"
    kind = TABLE[code]
    detail = error.detail if code == error.code and error.detail != code else ""
    return Problem(
        type=f"urn:paystream:problem:{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        retryable=kind.retryable,
        detail=detail,
        retry_after_s=_retry_after_s(error) if kind.retryable else None,
        refundable=error.refundable if isinstance(error, Refused) else None,
    )


def _retry_after_s(error: PaystreamError) -> float:
    return error.retry_after_s if isinstance(error, Unavailable) else RETRY_AFTER_S


def headers_of(answer: Problem) -> list[tuple[bytes, bytes]]:
    """The headers that go with a problem: its type, when to come back, how to log in."""
    headers = [(b"content-type", CONTENT_TYPE)]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(answer.retry_after_s))))
    if answer.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="paystream"'))
    return headers
