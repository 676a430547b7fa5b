"""What one order of a run is to be: drawn from the seed, the three providers in rotation."""

import random
from dataclasses import dataclass
from typing import Literal

Provider = Literal["razorpay", "stripe", "paypal"]
PROVIDERS: tuple[Provider, ...] = ("razorpay", "stripe", "paypal")
# provider → (currency, share, what the provider can express)
CURRENCIES: dict[Provider, tuple[tuple[str, float, int], ...]] = {
    "razorpay": (("INR", 0.8, 1), ("USD", 0.1, 1), ("JPY", 0.05, 1), ("KWD", 0.05, 10)),
    "stripe": (("EUR", 0.8, 1), ("USD", 0.1, 1), ("JPY", 0.05, 1), ("KWD", 0.05, 10)),
    "paypal": (("USD", 0.8, 1), ("EUR", 0.15, 1), ("JPY", 0.05, 1)),
}
AMOUNT_MIN, AMOUNT_MAX = 300, 500_000  # minor units, before what the provider can express
BY_HAND: tuple[Provider, ...] = ("razorpay", "stripe")  # PayPal has no authorisation here


@dataclass(frozen=True, slots=True)
class Wish:
    """One order and the habits of who places it and of its shop."""

    order_id: str
    provider: Provider
    amount: int
    currency: str
    verifies: bool = True
    is_declined_first: bool = False
    changes_the_price: bool = False
    pays_twice: bool = False  # two tabs, two payments: the second capture goes back
    leaves: bool = False  # before paying; then the attempt expires
    is_cancelled: bool = False  # by the shop, when the buyer has left
    by_hand: bool = False  # authorised first; the shop takes the money later
    gives_back: int | None = None  # how much of it the shop refunds once it is paid

    @property
    def email(self) -> str:
        return f"{self.order_id}@buyers.example"


@dataclass(frozen=True, slots=True)
class Habits:
    """The shares of a run."""

    verify: float = 0.7  # the other buyers never come back: only webhooks tell
    pay_twice: float = 0.03
    by_hand: float = 0.1
    give_back: float = 0.15


def draw(dice: random.Random, order_id: str, provider: Provider, habits: Habits) -> Wish:
    """The next wish of one shopper."""
    choice = CURRENCIES[provider]
    currency, _, step = dice.choices(choice, [share for _, share, _ in choice])[0]
    amount = step * dice.randint(AMOUNT_MIN, AMOUNT_MAX)
    by_hand = provider in BY_HAND and dice.random() < habits.by_hand
    part = step * dice.randint(AMOUNT_MIN // 3, amount // step) if dice.random() < 0.5 else amount
    return Wish(
        order_id=order_id,
        provider=provider,
        amount=amount,
        currency=currency,
        verifies=dice.random() < habits.verify,
        is_declined_first=dice.random() < 0.1,
        changes_the_price=dice.random() < 0.05,
        pays_twice=dice.random() < habits.pay_twice and provider == "razorpay" and not by_hand,
        leaves=dice.random() < 0.06,
        is_cancelled=dice.random() < 0.5,
        by_hand=by_hand,
        gives_back=part if dice.random() < habits.give_back else None,
    )
