"""PaymentIntents and charges: the calls that the official SDK makes of them."""

from typing import Literal

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry
from devstack.simulator.stripe.api import Act, Asked, Done
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.cards import by_id, card
from devstack.simulator.stripe.currencies import shown
from devstack.simulator.stripe.entities import Charge, Intent, Method
from devstack.simulator.stripe.errors import ApiError, missing, unexpected_state
from devstack.simulator.stripe.forms import Fields
from devstack.simulator.stripe.ids import new_id
from devstack.simulator.stripe.intents import Intents
from devstack.simulator.stripe.listing import page
from devstack.simulator.stripe.requests import intent_request, metadata, only, positive
from devstack.simulator.stripe.views import Json, charge_json, intent_json

_LIST = frozenset({"limit", "starting_after", "ending_before", "created"})
_CONFIRM = frozenset(
    {"client_secret", "payment_method", "payment_method_data", "return_url", "off_session", "use_stripe_sdk"}
)
_CANCEL_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


class IntentCalls:
    """/v1/payment_intents."""

    def __init__(self, books: Books, intents: Intents, clock: Clock) -> None:
        self._books = books
        self._intents = intents
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("POST", "/payment_intents", self.create),
            ("GET", "/payment_intents", self.list_all),
            ("GET", "/payment_intents/{id}", self.retrieve),
            ("POST", "/payment_intents/{id}", self.update),
            ("POST", "/payment_intents/{id}/confirm", self.confirm),
            ("POST", "/payment_intents/{id}/capture", self.capture),
            ("POST", "/payment_intents/{id}/cancel", self.cancel),
        ]

    def create(self, asked: Asked, entry: Entry) -> Done:
        request = intent_request(asked.fields)
        method = _method(asked.fields) if request.confirm else None
        number = len(self._books.intents) + 1
        intent_id = new_id("pi")
        intent = Intent(
            id=intent_id,
            amount=request.amount,
            currency=request.currency,
            status="requires_payment_method",
            capture_method=_capture_method(request.capture_method),
            client_secret=new_id(f"{intent_id}_secret", 25),
            metadata=request.metadata,
            description=request.description,
            receipt_email=request.receipt_email,
            method_types=request.method_types,
            automatic_methods=request.automatic_methods,
            name=asked.key or f"payment intent {number}",
            created=int(self._clock.now()),
        )
        entry.put(self._books.intents, intent)
        self._intents.tell_created(entry, intent)
        if method is not None:
            intent = self._confirm(entry, intent, method, asked)
        return Done(intent_json(intent), intent.id)

    def list_all(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"customer"})
        rows = self._books.intents.newest_first()
        return Done(page(rows, asked.fields, "/v1/payment_intents", lambda row: row.created, intent_json))

    def retrieve(self, asked: Asked, _entry: Entry) -> Done:
        intent = self._intent(asked)
        return Done(self._view(asked, intent), intent.id)

    def update(self, asked: Asked, entry: Entry) -> Done:
        only(asked.fields, frozenset({"metadata", "description", "receipt_email"}))
        intent = self._intent(asked)
        merged = {**intent.metadata, **metadata(asked.fields)}
        description = asked.fields.get("description")
        intent = msgspec.structs.replace(
            intent,
            metadata=merged,
            description=intent.description if description is None else str(description),
        )
        entry.put(self._books.intents, intent)
        return Done(intent_json(intent), intent.id)

    def confirm(self, asked: Asked, entry: Entry) -> Done:
        only(asked.fields, _CONFIRM)
        intent = self._intent(asked)
        intent = self._confirm(entry, intent, _method(asked.fields), asked)
        return Done(self._view(asked, intent), intent.id)

    def capture(self, asked: Asked, entry: Entry) -> Done:
        only(asked.fields, frozenset({"amount_to_capture", "final_capture", "metadata"}))
        intent = self._intent(asked)
        amount = positive(asked.fields, "amount_to_capture") if "amount_to_capture" in asked.fields else None
        if intent.status != "requires_capture":
            raise unexpected_state(intent.status, "capture")
        if amount is not None and amount > intent.amount_capturable:
            left = shown(intent.amount_capturable, intent.currency)
            raise ApiError(
                f"The amount to capture is greater than the amount that can be captured ({left}).",
                code="amount_too_large",
                param="amount_to_capture",
                executed=True,
            )
        intent = self._intents.capture(entry, intent, amount)
        return Done(intent_json(intent), intent.id)

    def cancel(self, asked: Asked, entry: Entry) -> Done:
        only(asked.fields, frozenset({"cancellation_reason"}))
        reason = asked.fields.get("cancellation_reason")
        if reason is not None and reason not in _CANCEL_REASONS:
            raise ApiError(
                f"Invalid cancellation_reason: must be one of {', '.join(_CANCEL_REASONS)}",
                param="cancellation_reason",
            )
        intent = self._intent(asked)
        intent = self._intents.cancel(entry, intent, None if reason is None else str(reason))
        return Done(intent_json(intent), intent.id)

    def _confirm(self, entry: Entry, intent: Intent, method: Method, asked: Asked) -> Intent:
        return_url = asked.fields.get("return_url")
        if intent.automatic_methods and not return_url:
            raise ApiError(
                "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
                "Because some of these payment methods might redirect your customer off of your page, "
                "you must provide a `return_url`."
            )
        if method.type not in intent.method_types:
            raise ApiError(
                f"The PaymentMethod provided ({method.type}) is not allowed for this PaymentIntent.",
                code="payment_intent_incompatible_payment_method",
            )
        intent = self._intents.confirm(entry, intent, method, str(return_url) if return_url else None)
        if intent.last_error is not None:
            raise declined(intent, self._view(asked, intent))
        return intent

    def _intent(self, asked: Asked) -> Intent:
        """A browser must show the intent's secret."""
        intent = self._books.intent(asked.params["id"])
        if asked.public and asked.fields.get("client_secret") != intent.client_secret:
            raise ApiError(
                "The client_secret provided does not match the client_secret of the PaymentIntent.",
                code="payment_intent_invalid_parameter",
                param="client_secret",
            )
        return intent

    def _view(self, asked: Asked, intent: Intent) -> Json:
        """Browsers are not shown what is between the shop and Stripe."""
        view = intent_json(intent)
        if asked.public:
            del view["metadata"], view["latest_charge"]
        return view


class ChargeCalls:
    """/v1/charges, which are made by intents alone."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def routes(self) -> list[tuple[str, str, Act]]:
        return [("GET", "/charges", self.list_all), ("GET", "/charges/{id}", self.retrieve)]

    def list_all(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"payment_intent", "customer"})
        intent_id = asked.fields.get("payment_intent")
        rows = self._books.charges.newest_first()
        if intent_id is not None:
            if self._books.intents.get(str(intent_id)) is None:
                raise missing("payment_intent", str(intent_id), "payment_intent")
            rows = self._books.charges_of(str(intent_id))
        return Done(page(rows, asked.fields, "/v1/charges", _created, charge_json))

    def retrieve(self, asked: Asked, _entry: Entry) -> Done:
        charge = self._books.charge(asked.params["id"])
        return Done(charge_json(charge), charge.id)


def declined(intent: Intent, view: Json) -> ApiError:
    """What a confirm answers when the bank says no: 402, with the intent beside the reason."""
    reason = intent.last_error
    if reason is None:
        raise ValueError(intent.id)
    error = ApiError(
        reason.message,
        status=402,
        type="card_error",
        code=reason.code,
        decline_code=reason.decline_code,
        charge=reason.charge,
    )
    error.error["payment_intent"] = view
    return error


def _created(charge: Charge) -> int:
    return charge.created


def _capture_method(text: str) -> Literal["automatic", "automatic_async", "manual"]:
    return "manual" if text == "manual" else "automatic" if text == "automatic" else "automatic_async"


def _method(fields: Fields) -> Method:
    """A published `pm_card_…`, or what Stripe's own form collected."""
    given = fields.get("payment_method")
    if isinstance(given, str):
        return by_id(given)
    data = fields.get("payment_method_data")
    if not isinstance(data, dict):
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    match data.get("type"):
        case "card":
            details = data.get("card")
            return card(str(details.get("number", "")) if isinstance(details, dict) else "")
        case "sepa_debit":
            return Method(id=new_id("pm"), type="sepa_debit", last4="3000")
        case "ideal":
            return Method(id=new_id("pm"), type="ideal", authentication=True)
    raise ApiError("Invalid payment_method_data[type].", param="payment_method_data[type]")
