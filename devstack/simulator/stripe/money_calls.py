"""Refunds, disputes, the balance and what stands around it, over HTTP."""

from collections.abc import Iterable

import msgspec

from devstack.simulator.ledger import Entry
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.api import Act, Asked, Done
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.disputes import Disputes
from devstack.simulator.stripe.entities import BalanceTransaction, Charge, Dispute, Refund
from devstack.simulator.stripe.errors import ApiError, missing, unexpected_state
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.listing import page
from devstack.simulator.stripe.refunds import RefundRequest, Refunds
from devstack.simulator.stripe.requests import integer, metadata, only, positive
from devstack.simulator.stripe.views import Json, balance_json, dispute_json, payout_json, refund_json

_LIST = frozenset({"limit", "starting_after", "ending_before", "created"})
_REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class RefundCalls:
    """/v1/refunds."""

    def __init__(self, books: Books, refunds: Refunds) -> None:
        self._books = books
        self._refunds = refunds

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("POST", "/refunds", self.create),
            ("GET", "/refunds", self.list_all),
            ("GET", "/refunds/{id}", self.retrieve),
            ("POST", "/refunds/{id}", self.update),
        ]

    def create(self, asked: Asked, entry: Entry) -> Done:
        fields = asked.fields
        only(fields, frozenset({"amount", "charge", "payment_intent", "reason", "metadata"}))
        reason = fields.get("reason")
        if reason is not None and reason not in _REFUND_REASONS:
            raise ApiError(f"Invalid reason: must be one of {', '.join(_REFUND_REASONS)}", param="reason")
        wanted = RefundRequest(
            amount=positive(fields, "amount") if "amount" in fields else None,
            reason=None if reason is None else str(reason),
            metadata=metadata(fields),
        )
        refund = self._refunds.create(entry, self._charge(asked), wanted)
        return Done(refund_json(refund), refund.id)

    def list_all(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"charge", "payment_intent"})
        charge, intent = asked.fields.get("charge"), asked.fields.get("payment_intent")
        rows = (
            refund
            for refund in self._books.refunds.newest_first()
            if charge in (None, refund.charge_id) and intent in (None, refund.intent_id)
        )
        return Done(page(rows, asked.fields, "/v1/refunds", _created, refund_json))

    def retrieve(self, asked: Asked, _entry: Entry) -> Done:
        refund = self._books.refund(asked.params["id"])
        return Done(refund_json(refund), refund.id)

    def update(self, asked: Asked, entry: Entry) -> Done:
        """Only the metadata can be changed."""
        only(asked.fields, frozenset({"metadata"}))
        refund = self._books.refund(asked.params["id"])
        merged = {**refund.metadata, **metadata(asked.fields)}
        refund = entry.put(self._books.refunds, msgspec.structs.replace(refund, metadata=merged))
        return Done(refund_json(refund), refund.id)

    def _charge(self, asked: Asked) -> Charge:
        charge_id, intent_id = asked.fields.get("charge"), asked.fields.get("payment_intent")
        if charge_id is not None:
            return self._books.charge(str(charge_id))
        if intent_id is None:
            raise ApiError(
                "One of the following params should be provided for this request: payment_intent or charge."
            )
        intent = self._books.intent(str(intent_id))
        if intent.status != "succeeded" or intent.latest_charge is None:
            raise unexpected_state(intent.status, "refund")
        return self._books.charges[intent.latest_charge]


class DisputeCalls:
    """/v1/disputes."""

    def __init__(self, books: Books, disputes: Disputes) -> None:
        self._books = books
        self._disputes = disputes

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/disputes", self.list_all),
            ("GET", "/disputes/{id}", self.retrieve),
            ("POST", "/disputes/{id}", self.update),
            ("POST", "/disputes/{id}/close", self.close),
        ]

    def list_all(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"charge", "payment_intent"})
        charge, intent = asked.fields.get("charge"), asked.fields.get("payment_intent")
        rows = (
            dispute
            for dispute in self._books.disputes.newest_first()
            if charge in (None, dispute.charge_id) and intent in (None, dispute.intent_id)
        )
        return Done(page(rows, asked.fields, "/v1/disputes", _created, self._view))

    def retrieve(self, asked: Asked, _entry: Entry) -> Done:
        dispute = self._books.dispute(asked.params["id"])
        return Done(self._view(dispute), dispute.id)

    def update(self, asked: Asked, entry: Entry) -> Done:
        """Evidence; sent to the bank unless `submit` is false."""
        only(asked.fields, frozenset({"evidence", "metadata", "submit"}))
        dispute = self._books.dispute(asked.params["id"])
        given = asked.fields.get("evidence") or {}
        if not isinstance(given, dict):
            raise ApiError("Invalid hash", param="evidence")
        evidence = {str(name): str(text) for name, text in given.items()}
        if asked.fields.get("submit") == "false":
            merged = {**dispute.evidence, **evidence}
            dispute = entry.put(self._books.disputes, msgspec.structs.replace(dispute, evidence=merged))
        else:
            dispute = self._disputes.submit(entry, dispute, evidence)
        return Done(self._view(dispute), dispute.id)

    def close(self, asked: Asked, entry: Entry) -> Done:
        dispute = self._disputes.accept(entry, self._books.dispute(asked.params["id"]))
        return Done(self._view(dispute), dispute.id)

    def _view(self, dispute: Dispute) -> Json:
        return dispute_json(dispute, self._books)


class BalanceCalls:
    """/v1/balance_transactions and /v1/payouts."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/balance_transactions", self.list_all),
            ("GET", "/balance_transactions/{id}", self.retrieve),
            ("GET", "/payouts", self.list_payouts),
            ("GET", "/payouts/{id}", self.retrieve_payout),
        ]

    def list_all(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"payout", "type", "source", "currency"})
        rows = self._rows(asked)
        return Done(page(rows, asked.fields, "/v1/balance_transactions", _created, balance_json))

    def retrieve(self, asked: Asked, _entry: Entry) -> Done:
        line = self._books.balance.get(asked.params["id"])
        if line is None:
            raise missing("balance transaction", asked.params["id"], "id")
        return Done(balance_json(line), line.id)

    def list_payouts(self, asked: Asked, _entry: Entry) -> Done:
        only(asked.fields, _LIST | {"arrival_date", "status"})
        status = asked.fields.get("status")
        rows = (p for p in self._books.payouts.newest_first() if status in (None, p.status))
        return Done(page(rows, asked.fields, "/v1/payouts", lambda p: p.created, payout_json))

    def retrieve_payout(self, asked: Asked, _entry: Entry) -> Done:
        payout = self._books.payout(asked.params["id"])
        return Done(payout_json(payout), payout.id)

    def _rows(self, asked: Asked) -> Iterable[BalanceTransaction]:
        fields = asked.fields
        payout_id = fields.get("payout")
        if payout_id is not None and not self._books.payout(str(payout_id)).automatic:
            raise ApiError(
                "Balance transaction history can only be filtered on automatic payouts, not manual.",
                param="payout",
            )
        return (
            line
            for line in self._books.balance.newest_first()
            if payout_id in (None, line.payout)
            and fields.get("type") in (None, line.type)
            and fields.get("source") in (None, line.source)
            and fields.get("currency") in (None, line.currency)
        )


class AccountCalls:
    """/v1/account, /v1/events and /v1/webhook_endpoints: what a look at the set-up needs."""

    def __init__(self, account: Account, events: Events) -> None:
        self._account = account
        self._events = events

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/account", self.account),
            ("GET", "/events", self.list_events),
            ("GET", "/events/{id}", self.event),
            ("GET", "/webhook_endpoints", self.endpoints),
        ]

    def account(self, _asked: Asked, _entry: Entry) -> Done:
        view: Json = {
            "id": self._account.account_id,
            "object": "account",
            "charges_enabled": True,
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "payouts_enabled": True,
            "type": "standard",
        }
        return Done(view, self._account.account_id)

    def list_events(self, asked: Asked, _entry: Entry) -> Done:
        """Newest first; of the filters only `type`."""
        only(asked.fields, _LIST | {"type", "types", "delivery_success"})
        limit = integer(asked.fields.get("limit", "10"), "limit")
        wanted = asked.fields.get("type")
        found = [event for event in self._events.sent() if wanted in (None, event["type"])]
        after = asked.fields.get("starting_after")
        ids = [event["id"] for event in found]
        if after is not None:
            if after not in ids:
                raise missing("event", str(after), "starting_after")
            found = found[ids.index(after) + 1 :]
        more = len(found) > limit
        return Done({"object": "list", "url": "/v1/events", "has_more": more, "data": found[:limit]})

    def event(self, asked: Asked, _entry: Entry) -> Done:
        for event in self._events.sent():
            if event["id"] == asked.params["id"]:
                return Done(event, asked.params["id"])
        raise missing("event", asked.params["id"], "id")

    def endpoints(self, _asked: Asked, _entry: Entry) -> Done:
        """The one that the configuration names; its secret is never shown again."""
        endpoint: Json = {
            "id": "we_configured",
            "object": "webhook_endpoint",
            "api_version": None,
            "enabled_events": ["*"],
            "livemode": False,
            "status": "enabled",
            "url": self._account.webhook_url,
        }
        listed: Json = {"object": "list", "url": "/v1/webhook_endpoints", "has_more": False}
        return Done({**listed, "data": [endpoint]})


def _created(row: Refund | Dispute | BalanceTransaction) -> int:
    return row.created
