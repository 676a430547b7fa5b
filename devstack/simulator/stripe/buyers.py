"""Pays without a browser: what a buyer and their bank do, in one call."""

from typing import Literal

import msgspec

from devstack.simulator.ledger import Ledger
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.cards import card
from devstack.simulator.stripe.entities import Intent, Method
from devstack.simulator.stripe.errors import DECLINES, ApiError
from devstack.simulator.stripe.ids import new_id
from devstack.simulator.stripe.intents import Intents

Outcome = Literal["success", "declined", "authentication_failed", "requires_action", "processing"]
_CARDS: dict[str, str] = {
    "success": "4242424242424242",
    "declined": "4000000000000002",
    "authentication_failed": "4000002760003184",
    "requires_action": "4000002760003184",
}
RETURN_URL = "https://shop.example/return"  # where nobody goes: there is no browser


class Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a payment goes; without an outcome the card decides, its 3-D Secure passed."""

    outcome: Outcome | None = None
    card: str | None = None
    decline_code: str | None = None
    settles: Literal["succeeded", "failed"] = "succeeded"  # a bank debit, after its days


class Result(msgspec.Struct, kw_only=True):
    """What the page gets, and the charge for a test to find."""

    payment_intent: str
    payment_intent_client_secret: str
    status: str
    charge: str | None
    error: dict[str, str | None] | None


class Buyers:
    """Confirms intents as Stripe's own form does."""

    def __init__(self, books: Books, intents: Intents, ledger: Ledger) -> None:
        self._books = books
        self._intents = intents
        self._ledger = ledger

    def pay(self, intent_id: str, form: Form) -> Result:
        """One try at an intent; raises `ApiError` when it takes none."""
        intent = self._books.intent(intent_id)
        method = _method(form)
        with self._ledger.entry("buyer pays") as entry:
            intent = self._intents.confirm(entry, intent, method, RETURN_URL)
            if intent.status == "requires_action" and form.outcome != "requires_action":
                passed = form.outcome != "authentication_failed"
                intent = self._intents.authenticate(entry, intent, passed=passed)
        return _result(intent)

    def authenticate(self, intent_id: str, *, passed: bool) -> Result:
        """The end of a 3-D Secure step that was left open."""
        intent = self._books.intent(intent_id)
        with self._ledger.entry("buyer authenticates") as entry:
            return _result(self._intents.authenticate(entry, intent, passed=passed))


def _method(form: Form) -> Method:
    if form.outcome == "processing":
        return Method(id=new_id("pm"), type="sepa_debit", last4="3000", settles=form.settles)
    if form.decline_code is not None and form.decline_code not in DECLINES:
        raise ApiError(f"The decline code must be one of {', '.join(DECLINES)}.", param="decline_code")
    method = card(form.card or _CARDS[form.outcome or "success"])
    if form.decline_code is not None:
        return msgspec.structs.replace(method, decline_code=form.decline_code)
    return method


def _result(intent: Intent) -> Result:
    error = intent.last_error
    return Result(
        payment_intent=intent.id,
        payment_intent_client_secret=intent.client_secret,
        status=intent.status,
        charge=intent.latest_charge,
        error=None
        if error is None
        else {
            "code": error.code,
            "decline_code": error.decline_code,
            "message": error.message,
            "type": error.type,
        },
    )
