"""What a single value may be: ids, money, names, addresses. Each check says yes or a code of the table."""

import re
import unicodedata
from typing import Annotated

from msgspec import Meta

from shared.errors import Rejected
from shared.money import AMOUNT_MAX, currencies

# `$` alone would let a trailing line feed pass.
END = r"$(?!\n)"
ORDER_ID = re.compile(r"^[A-Za-z0-9_-]{1,40}" + END)
# Words that stand in an order's place in an address: an order with such an id could not be asked about.
RESERVED_IDS = frozenset({"capture", "create-order", "refund", "refunds", "return", "verify", "webhook"})
REFUND_ID = re.compile(r"^[A-Za-z0-9_-]{1,100}" + END)

OrderId = Annotated[
    str, Meta(pattern=ORDER_ID.pattern, description="The shop's own id of the order", examples=["order-1001"])
]
ChargeId = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_-]{1,100}" + END, description="The provider's own id of a payment or capture"),
]
Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="ISO 4217 minor units", examples=[49900])]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217", examples=["INR"])]
ProviderName = Annotated[str, Meta(pattern="^[a-z]{2,20}" + END, examples=["razorpay"])]
Locale = Annotated[str, Meta(pattern="^[a-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}" + END, examples=["en-IN"])]
Percent = Annotated[str, Meta(pattern=r"^(100|[0-9]{1,2})(\.[0-9]{1,4})?" + END, examples=["18"])]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}" + END, description="ISO 3166-1 alpha-2", examples=["IN"])]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=200)]

EMAIL_LENGTH_MAX = 254  # RFC 5321, 4.5.3.1.3
# One address in the unquoted ASCII form of RFC 5322, with a dot in its domain: what mail servers take.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?=[A-Za-z]){_LABEL}")
_JOINERS = "\u200c\u200d"  # spelling in Indic and Persian words, and inside emoji


def check_new_id(order_id: str) -> None:
    if order_id in RESERVED_IDS:
        raise Rejected("wrong-value", "$.orderId: this word is a part of our addresses")


def check_currency(value: str) -> None:
    if value not in currencies():
        raise Rejected("wrong-value", "$.currency: not an ISO 4217 code in upper case")


def check_email(value: str, path: str) -> None:
    """One plain address; nothing that could add a header or a second recipient."""
    if len(value) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(value):
        raise Rejected("wrong-value", f"{path}: not an e-mail address like name@example.com")


def check_text(value: str, path: str) -> None:
    """A text for people: no control characters, no marks that reorder or hide what is read."""
    if value != value.strip():
        raise Rejected("text-not-allowed", f"{path}: no spaces at the ends")
    before = ""
    for character in value:
        if not character.isascii() and character in _JOINERS:
            allowed = bool(before) and not before.isascii()
        else:
            allowed = unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        if not allowed:
            raise Rejected("text-not-allowed", f"{path}: control or invisible characters are not taken")
        before = character
