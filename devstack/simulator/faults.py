"""What misbehaviour can be asked for, and the draws that decide where it strikes.

A draw is a hash of the seed and of what is drawn for, never of time or arrival, so one seed and
the same requests meet the same faults again.
"""

import hashlib
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Probability = float
Seconds = float | tuple[float, float]

ApiEffect = Literal[
    "act_then_drop",  # does it, then closes the connection without an answer
    "drop_before",  # closes the connection without doing it
    "status_500_html",  # an error page of a proxy instead of JSON
    "status_502",
    "status_500",  # the provider's own error body
    "status_429",
    "truncate",  # does it, and the connection ends in the middle of the answer
    "drip",  # does it, and the answer comes a few bytes at a time over `delay_s`
    "delay",  # does it, answers late
    "hold",  # the same, said of an answer that waits while a webhook goes out
]
WebhookEffect = Literal[
    "drop",
    "delay",
    "reorder",
    "duplicate",
    "old_secret",
    "bad_signature",  # forged: signed by somebody who does not know the secret
    "corrupt",  # one byte of the body is another than the one that was signed
]


class ApiNext(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The next `times` matching calls get exactly this, whatever the probabilities say."""

    do: ApiEffect
    times: int = 1
    delay_s: Seconds = 0.0
    before: bool = False  # strike before the provider acts, so that there is no effect
    pay: dict[str, object] | None = None  # pays the order at once, before the answer is held
    alter: dict[str, object] | None = None  # fields laid over the JSON answer
    retry_after_s: int | None = None  # what a 429 asks for; without it, it says nothing


class ApiFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Probabilities for the calls that match `path`, e.g. `POST /v1/orders`, `GET /v1/*`."""

    path: str
    act_then_drop: Probability = 0.0
    drop_before: Probability = 0.0
    status_500_html: Probability = 0.0
    status_502: Probability = 0.0
    status_500: Probability = 0.0
    status_429: Probability = 0.0
    truncate: Probability = 0.0
    drip: Probability = 0.0
    drip_s: float = 1.0  # real seconds, as long as such an answer takes
    delay: Probability = 1.0  # of waiting `delay_s` at all
    delay_s: Seconds = 0.0
    before: Probability = 0.0  # that an error strikes before the provider acts
    alter: dict[str, object] | None = None
    alter_p: Probability = 1.0
    retry_after_s: int | None = None
    next: list[ApiNext] = msgspec.field(default_factory=list)

    def matches(self, call: str) -> bool:
        return fnmatchcase(call, self.path)


class WebhookNext(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The next `times` webhooks whose event matches get exactly this."""

    do: WebhookEffect
    event: str = "*"
    times: int = 1
    delay_s: Seconds = 0.0
    copies: int = 2


class WebhookFaults(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Probabilities for each webhook; delays are real seconds, not scaled ones."""

    duplicate: Probability = 0.0
    copies: int = 2  # how often a duplicated webhook is sent in all, at the same time
    delay: Probability = 1.0
    delay_s: Seconds = 0.0
    reorder: Probability = 0.0
    reorder_hold_s: float = 0.5  # how long a reordered webhook lets later ones pass
    drop: Probability = 0.0
    old_secret: Probability = 0.0
    bad_signature: Probability = 0.0
    corrupt: Probability = 0.0
    events: str = "*"
    next: list[WebhookNext] = msgspec.field(default_factory=list)


class LateAuthorization(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How often a payment that would succeed fails first; `after_s` is in the provider's time."""

    probability: Probability
    after_s: Seconds = 900.0


class FaultSpec(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All misbehaviour asked for; the empty one is a provider on its best day."""

    seed: int = 0
    draw_by: Literal["identity", "order"] = "identity"
    webhooks: WebhookFaults = msgspec.field(default_factory=WebhookFaults)
    api: list[ApiFault] = msgspec.field(default_factory=list)
    late_authorization: LateAuthorization | Probability | None = None


def draw(seed: int, *identity: object) -> float:
    """A number in [0, 1) that only the seed and the identity decide, in any process."""
    text = "\x1f".join([str(seed), *map(str, identity)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / (1 << 56)


def seconds(span: Seconds, drawn: float) -> float:
    """A fixed span as it is, a range by the draw."""
    if isinstance(span, tuple):
        low, high = span
        return low + (high - low) * drawn
    return float(span)


def corrupted(body: bytes) -> bytes:
    """The body with one bit of it another."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
