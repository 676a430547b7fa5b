"""Who a customer is without saying it, and what stays of an order once its customer is blanked."""

import hmac
from hashlib import sha256

from msgspec.structs import replace
from pydantic import SecretStr

from shared.messages.base import Message
from shared.messages.orders import BillingAddress, Customer, OrderPlaced
from shared.messages.payments import RegisterOrder


def normalised(email: str) -> str:
    """One spelling of an address: people write it in capitals and with spaces around it."""
    return email.strip().lower()


def customer_hash(email: str, key: SecretStr) -> str:
    """The customer's name in erasures and tombstones: without the key it can be neither read nor tried."""
    return _keyed(key, f"customer:{normalised(email)}")


def key_check(key: SecretStr) -> str:
    """Equal where the key is equal; says nothing else about it."""
    return _keyed(key, "the same key?")[:16]


def _keyed(key: SecretStr, text: str) -> str:
    return hmac.new(key.get_secret_value().encode(), text.encode(), sha256).hexdigest()


def blanked(order: OrderPlaced) -> OrderPlaced:
    """The order without its customer: amounts, quantities, taxes and the country of the tax stay.

    The texts of its lines go too: nobody can tell `Teapot` from `Mug for Asha Rao`.
    """
    billing = order.billing
    country = BillingAddress(country=billing.country) if billing and billing.country else None
    lines = tuple(replace(line, name=f"#{n}") for n, line in enumerate(order.lines, 1))
    return replace(order, customer=Customer(), billing=country, lines=lines, erased=True)


def order_in(message: Message) -> OrderPlaced | None:
    """The order content that a message brings, if it is one of the two that do."""
    if isinstance(message, OrderPlaced):
        return message
    return message.order if isinstance(message, RegisterOrder) else None


def without_customer(message: Message) -> Message:
    """The same message with its order's customer blanked."""
    if isinstance(message, RegisterOrder):
        return replace(message, order=blanked(message.order))
    return blanked(message) if isinstance(message, OrderPlaced) else message
