"""The four ways a piece of work can end badly; anything else is a bug.

Library exceptions become one of these at the boundary, in one place per adapter.
"""


class PaystreamError(Exception):
    """Base of the four. `code` is a stable kebab-case slug, `detail` a sentence for a person."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail or code


class Rejected(PaystreamError):
    """A rule says no. Final: the same request gets the same answer."""


class NotFound(Rejected):
    """There is nothing under this id that the caller may see."""


class Malformed(PaystreamError):
    """The input cannot be read. Trying it again cannot help."""


class Unavailable(PaystreamError):
    """Nothing happened. It is safe to try again after `retry_after_s`."""

    def __init__(self, code: str, detail: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(PaystreamError):
    """A side effect may have happened. Look it up; never redo it under a new key."""
