"""Published test cards and UPI addresses and what they do (Razorpay docs, Test card details)."""

from devstack.simulator.razorpay.entities import Card
from devstack.simulator.razorpay.ids import new_id

SUCCESS_CARDS = {
    "4100280000001007": "Visa",
    "5500670000001002": "MasterCard",
    "6527658900001005": "RuPay",
}
FAILING_CARDS = {
    "4100280000090000": "payment_timed_out",
    "4100280000080001": "insufficient_fund",
    "4100280000070002": "payment_cancelled",
    "4100280000060003": "card_declined",
    "4100280000030006": "card_disabled_for_online_payments",
    "4100280000010008": "card_number_invalid",
    "4100280000020007": "gateway_technical_error",
    "4100280000000009": "authentication_failed",
}
SUCCESS_VPA = "success@razorpay"
FAILING_VPA = "failure@razorpay"


def card_failure(number: str) -> str | None:
    """Why this card fails, None when it pays; an unknown number is an invalid one."""
    if number in FAILING_CARDS:
        return FAILING_CARDS[number]
    return None if number in SUCCESS_CARDS or _luhn(number) else "card_number_invalid"


def vpa_failure(vpa: str) -> str | None:
    """Only the published failing address fails."""
    return "payment_failed" if vpa == FAILING_VPA else None


def card(number: str, holder: str) -> Card:
    """What is kept of a card: never its number."""
    network = SUCCESS_CARDS.get(number)
    if network is None:
        network = "Visa" if number.startswith("4") else "MasterCard"
    return Card(
        id=new_id("card"),
        last4=number[-4:],
        iin=number[:6],
        network=network,
        type="debit",
        issuer="HDFC",
        name=holder,
    )


def _luhn(number: str) -> bool:
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
