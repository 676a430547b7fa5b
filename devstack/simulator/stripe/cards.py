"""Published test cards and payment methods and what they do (Stripe docs, Testing)."""

from dataclasses import dataclass

from devstack.simulator.stripe.entities import Aftermath, Method
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.ids import new_id

# Decline codes that are error codes of their own rather than kinds of `card_declined`.
OWN_CODES = frozenset({"expired_card", "incorrect_cvc", "processing_error"})


@dataclass(frozen=True)
class Behaviour:
    """How the bank behind a published number answers."""

    decline_code: str = ""
    authentication: bool = False
    aftermath: Aftermath = ""


NUMBERS: dict[str, Behaviour] = {
    "4242424242424242": Behaviour(),
    "5555555555554444": Behaviour(),
    "378282246310005": Behaviour(),
    "4000000000000002": Behaviour("generic_decline"),
    "4000000000009995": Behaviour("insufficient_funds"),
    "4000000000009987": Behaviour("lost_card"),
    "4000000000009979": Behaviour("stolen_card"),
    "4000000000000069": Behaviour("expired_card"),
    "4000000000000127": Behaviour("incorrect_cvc"),
    "4000000000000119": Behaviour("processing_error"),
    "4000002760003184": Behaviour(authentication=True),
    "4000002500003155": Behaviour(authentication=True),
    "4000008400001629": Behaviour("generic_decline", authentication=True),
    "4000000000007726": Behaviour(aftermath="refund_pending"),
    "4000000000005126": Behaviour(aftermath="refund_fail"),
    "4000000000000259": Behaviour(aftermath="dispute_fraudulent"),
    "4000000000002685": Behaviour(aftermath="dispute_not_received"),
    "4000000000001976": Behaviour(aftermath="inquiry"),
}
METHOD_IDS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_threeDSecure2Required": "4000002760003184",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_createDispute": "4000000000000259",
}


def card(number: str) -> Method:
    """A card by its number; raises as Stripe does for one that cannot be."""
    digits = "".join(sign for sign in number if sign.isdigit())
    if not _luhn(digits):
        raise ApiError(
            "Your card number is incorrect.",
            status=402,
            type="card_error",
            code="incorrect_number",
            param="number",
        )
    behaviour = NUMBERS.get(digits, Behaviour())
    own_code = behaviour.decline_code in OWN_CODES
    return Method(
        id=new_id("pm"),
        type="card",
        brand="mastercard" if digits.startswith("5") else "amex" if digits.startswith("3") else "visa",
        last4=digits[-4:],
        authentication=behaviour.authentication,
        decline_code=behaviour.decline_code,
        code=behaviour.decline_code if own_code else "card_declined",
        aftermath=behaviour.aftermath,
    )


def by_id(method_id: str) -> Method:
    """One of the published `pm_card_…`."""
    number = METHOD_IDS.get(method_id)
    if number is None:
        raise ApiError(
            f"No such PaymentMethod: '{method_id}'",
            status=404,
            code="resource_missing",
            param="payment_method",
        )
    return card(number)


def _luhn(number: str) -> bool:
    if not 12 <= len(number) <= 19:
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
