"""A PaymentIntent's life: confirmed, authenticated, charged, captured or cancelled; never failed."""

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.balance import Balance
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.disputes import Disputes
from devstack.simulator.stripe.entities import Charge, Intent, Method, PaymentError
from devstack.simulator.stripe.errors import AUTHENTICATION_FAILED, DEBIT_FAILED, DECLINES, unexpected_state
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.ids import new_id

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


class Intents:
    """The transitions; each writes its rows and sends its webhooks within the caller's entry."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        balance: Balance,
        disputes: Disputes,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._balance = balance
        self._disputes = disputes
        self._ledger = ledger
        self._clock = clock
        agenda.watch(books.intents, lambda intent: intent.due_at, self._on_due)

    def tell_created(self, entry: Entry, intent: Intent) -> None:
        self._events.intent(entry, "payment_intent.created", intent)

    def confirm(self, entry: Entry, intent: Intent, method: Method, return_url: str | None = None) -> Intent:
        """The buyer pays; what their bank then does is in the method."""
        if intent.status not in CONFIRMABLE:
            raise unexpected_state(intent.status, "confirm")
        intent = self._put(entry, intent, method=method, last_error=None, return_url=return_url)
        if method.authentication:
            intent = self._put(entry, intent, status="requires_action")
            self._events.intent(entry, "payment_intent.requires_action", intent)
            return intent
        return self._charge(entry, intent, method)

    def authenticate(self, entry: Entry, intent: Intent, *, passed: bool) -> Intent:
        """The end of a 3-D Secure step, or of a visit to the bank's page."""
        if intent.status != "requires_action" or intent.method is None:
            raise unexpected_state(intent.status, "authenticate")
        if passed:
            return self._charge(entry, intent, intent.method)
        error = PaymentError(
            code="payment_intent_authentication_failure",
            message=AUTHENTICATION_FAILED,
            type="invalid_request_error",
        )
        return self._decline(entry, intent, error)

    def capture(self, entry: Entry, intent: Intent, amount: int | None = None) -> Intent:
        """Takes all or a part of what was authorised; the rest is released."""
        if intent.status != "requires_capture" or intent.latest_charge is None:
            raise unexpected_state(intent.status, "capture")
        taken = intent.amount_capturable if amount is None else amount
        charge = self._capture(entry, self._books.charges[intent.latest_charge], taken)
        self._events.charge(entry, "charge.captured", charge)
        return self._succeed(entry, intent, charge)

    def cancel(self, entry: Entry, intent: Intent, reason: str | None) -> Intent:
        """Ends an unpaid intent and gives an authorisation back."""
        if intent.status in ("succeeded", "canceled"):
            raise unexpected_state(intent.status, "cancel")
        event = "charge.failed" if intent.status == "processing" else "charge.refunded"
        return self._end(entry, intent, reason, event)

    def lapse(self, entry: Entry, intent: Intent) -> Intent:
        """An authorisation that nobody captured in time."""
        if intent.status != "requires_capture":
            raise unexpected_state(intent.status, "expire")
        return self._end(entry, intent, "automatic", "charge.expired")

    def settle(self, entry: Entry, intent: Intent, *, succeeded: bool) -> Intent:
        """The bank's word on a debit, days after the buyer gave it."""
        if intent.status != "processing" or intent.latest_charge is None:
            raise unexpected_state(intent.status, "settle")
        charge = self._books.charges[intent.latest_charge]
        if not succeeded:
            charge = msgspec.structs.replace(
                charge, status="failed", failure_code="insufficient_funds", failure_message=DEBIT_FAILED
            )
            entry.put(self._books.charges, charge)
            self._events.charge(entry, "charge.failed", charge)
            error = PaymentError(code="insufficient_funds", message=DEBIT_FAILED, charge=charge.id)
            return self._decline(entry, intent, error)
        charge = self._capture(entry, msgspec.structs.replace(charge, status="succeeded"), charge.amount)
        self._events.charge(entry, "charge.succeeded", charge)
        return self._succeed(entry, intent, charge)

    def _charge(self, entry: Entry, intent: Intent, method: Method) -> Intent:
        if method.decline_code:
            return self._declined_charge(entry, intent, method)
        charge = self._new_charge(intent, method)
        if method.type == "sepa_debit":
            return self._begin_debit(entry, intent, charge)
        manual = intent.capture_method == "manual"
        if not manual:
            charge = self._capture(entry, charge, charge.amount)
            self._books.add_to_intent(charge)
            unbooked = msgspec.structs.replace(charge, balance_transaction=None)
            self._events.charge(entry, "charge.succeeded", unbooked)
            intent = self._succeed(entry, intent, charge)
            self._events.charge(entry, "charge.updated", self._books.charges[charge.id])
            return intent
        expires_at = self._clock.now() + self._clock.real(self._account.authorization_life_s)
        charge = msgspec.structs.replace(charge, capture_before=int(expires_at))
        entry.put(self._books.charges, charge)
        self._books.add_to_intent(charge)
        intent = self._put(
            entry,
            intent,
            status="requires_capture",
            latest_charge=charge.id,
            amount_capturable=charge.amount,
            due="lapse",
            due_at=expires_at,
        )
        self._events.charge(entry, "charge.succeeded", charge)
        self._events.intent(entry, "payment_intent.amount_capturable_updated", intent)
        return intent

    def _begin_debit(self, entry: Entry, intent: Intent, charge: Charge) -> Intent:
        charge = entry.put(self._books.charges, msgspec.structs.replace(charge, status="pending"))
        self._books.add_to_intent(charge)
        intent = self._put(
            entry,
            intent,
            status="processing",
            latest_charge=charge.id,
            due="settle",
            due_at=self._clock.now() + self._clock.real(self._account.debit_settles_after_s),
        )
        self._events.intent(entry, "payment_intent.processing", intent)
        self._events.charge(entry, "charge.pending", charge)
        return intent

    def _declined_charge(self, entry: Entry, intent: Intent, method: Method) -> Intent:
        text = DECLINES.get(method.decline_code, DECLINES["generic_decline"])
        charge = msgspec.structs.replace(
            self._new_charge(intent, method),
            status="failed",
            failure_code=method.code,
            decline_code=method.decline_code,
            failure_message=text,
        )
        entry.put(self._books.charges, charge)
        self._books.add_to_intent(charge)
        self._events.charge(entry, "charge.failed", charge)
        error = PaymentError(
            code=method.code, message=text, decline_code=method.decline_code, charge=charge.id
        )
        return self._decline(entry, msgspec.structs.replace(intent, latest_charge=charge.id), error)

    def _decline(self, entry: Entry, intent: Intent, error: PaymentError) -> Intent:
        """Back to the start: the buyer may try again."""
        intent = self._put(
            entry, intent, status="requires_payment_method", last_error=error, due=None, due_at=None
        )
        self._events.intent(entry, "payment_intent.payment_failed", intent)
        return intent

    def _capture(self, entry: Entry, charge: Charge, amount: int) -> Charge:
        """What is not taken is released, and reads as refunded."""
        fee = self._balance.fee(amount, charge.currency)
        line = self._balance.book(entry, amount, charge.currency, "charge", charge.id, fee=fee)
        charge = msgspec.structs.replace(
            charge,
            captured=True,
            amount_captured=amount,
            amount_refunded=charge.amount - amount,
            balance_transaction=line.id,
        )
        return entry.put(self._books.charges, charge)

    def _succeed(self, entry: Entry, intent: Intent, charge: Charge) -> Intent:
        intent = self._put(
            entry,
            intent,
            status="succeeded",
            latest_charge=charge.id,
            amount_capturable=0,
            amount_received=charge.amount_captured,
            due=None,
            due_at=None,
        )
        self._events.intent(entry, "payment_intent.succeeded", intent)
        self._disputes.after_capture(entry, charge)
        return intent

    def _end(self, entry: Entry, intent: Intent, reason: str | None, event: str) -> Intent:
        held = intent.status in ("requires_capture", "processing")
        if held and intent.latest_charge is not None:
            charge = self._books.charges[intent.latest_charge]
            if event == "charge.failed":
                charge = msgspec.structs.replace(charge, status="failed", failure_code="canceled")
            else:
                charge = msgspec.structs.replace(charge, refunded=True, amount_refunded=charge.amount)
            entry.put(self._books.charges, charge)
            self._events.charge(entry, event, charge)
        intent = self._put(
            entry,
            intent,
            status="canceled",
            amount_capturable=0,
            canceled_at=int(self._clock.now()),
            cancellation_reason=reason,
            due=None,
            due_at=None,
        )
        self._events.intent(entry, "payment_intent.canceled", intent)
        return intent

    def _new_charge(self, intent: Intent, method: Method) -> Charge:
        tries = sum(1 for _ in self._books.charges_of(intent.id))
        return Charge(
            id=new_id("ch" if method.type == "card" else "py"),
            intent_id=intent.id,
            amount=intent.amount,
            currency=intent.currency,
            status="succeeded",
            method=method,
            name=f"{intent.name}#{tries + 1}",
            created=int(self._clock.now()),
        )

    def _on_due(self, intent_id: str) -> None:
        intent = self._books.intents[intent_id]
        with self._ledger.entry(f"payment intent due: {intent.due}") as entry:
            if intent.due == "lapse":
                self.lapse(entry, intent)
            elif intent.due == "settle" and intent.method is not None:
                self.settle(entry, intent, succeeded=intent.method.settles == "succeeded")

    def _put(self, entry: Entry, intent: Intent, **changes: object) -> Intent:
        return entry.put(self._books.intents, msgspec.structs.replace(intent, **changes))
