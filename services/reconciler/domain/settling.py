"""The third leg: what a settlement has to say about an item, and by how much it may differ."""

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec

from services.reconciler.domain.items import Settled
from shared.money import exponent

RATE_MAX = 10**9  # beyond any two currencies; keeps nonsense from costing time


class Terms(msgspec.Struct, frozen=True):
    """How a provider settles. Its lines are all read from `settled_since` to `settled_until`; None: none are.

    `settles` is false where money is on our balance at once and no settlement follows (PayPal).
    `judged_at` is when the legs were read; for `patience_s` a refund of ours may still be on its way.
    """

    settles: bool = True
    due_s: float = 7 * 86_400.0
    settled_since: datetime | None = None
    settled_until: datetime | None = None
    judged_at: datetime | None = None
    patience_s: float = 3600.0

    def under_way(self, at: datetime) -> bool:
        """Whether what we asked for then may still be on its way to the provider."""
        return self.judged_at is not None and at + timedelta(seconds=self.patience_s) > self.judged_at

    def overdue(self, at: datetime) -> bool:
        """Whether a line of something made then must be there by now."""
        if self.settled_until is None or (self.settled_since is not None and at < self.settled_since):
            return False
        return at + timedelta(seconds=self.due_s) <= self.settled_until


class Expected(msgspec.Struct, frozen=True):
    """An amount in the settlement's currency, and how far off it may be for rounding alone."""

    amount: int
    tolerance: int


def expected(amount: int, currency: str, settled: Settled) -> Expected | None:
    """What `amount` comes to in the settlement's currency; None when nothing says at what rate.

    In one currency to the minor unit. At a rate: one minor unit for the rounding of the product, and as much
    as half of the rate's last decimal makes of the amount.
    """
    if settled.currency == currency:
        return Expected(amount, 0)
    try:
        rate = Decimal(settled.rate)
    except InvalidOperation:
        return None
    if not rate.is_finite() or not 0 < rate < RATE_MAX:
        return None
    shift = Decimal(10) ** (exponent(settled.currency) - exponent(currency))
    decimals = rate.as_tuple().exponent
    half_digit = Decimal(5) * Decimal(10) ** (int(decimals) - 1)
    slack = abs(amount) * shift * half_digit
    return Expected(int((amount * shift * rate).to_integral_value()), 1 + int(slack.to_integral_value()))
