"""Stripe's webhooks: snapshots of one object, signed with the time of each try."""

import hashlib
import hmac
import json
import secrets

from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.ledger import Entry
from devstack.simulator.misbehaviour import Secret
from devstack.simulator.stripe.account import API_VERSION, Account
from devstack.simulator.stripe.books import NAME, Books
from devstack.simulator.stripe.entities import Charge, Dispute, Intent, Payout, Refund
from devstack.simulator.stripe.ids import new_id
from devstack.simulator.stripe.views import (
    Json,
    charge_json,
    dispute_json,
    intent_json,
    payout_json,
    refund_json,
)
from devstack.simulator.webhooks import Letter, Webhook


def webhook_signature(secret: str, at: int, body: str) -> str:
    """Hex HMAC-SHA256 over `t.body`, keyed with the whole secret (Stripe docs, Webhooks, Verify)."""
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()


class Events:
    """Turns what happened into webhooks on their way."""

    def __init__(self, account: Account, books: Books, clock: Clock, deliveries: Deliveries) -> None:
        self._account = account
        self._books = books
        self._clock = clock
        self._deliveries = deliveries

    def intent(self, entry: Entry, event: str, intent: Intent) -> None:
        self._emit(entry, event, intent_json(intent), intent)

    def charge(self, entry: Entry, event: str, charge: Charge) -> None:
        self._emit(entry, event, charge_json(charge), self._books.intents[charge.intent_id])

    def refund(self, entry: Entry, event: str, refund: Refund) -> None:
        self._emit(entry, event, refund_json(refund), self._books.intents[refund.intent_id])

    def dispute(self, entry: Entry, event: str, dispute: Dispute) -> None:
        view = dispute_json(dispute, self._books)
        self._emit(entry, event, view, self._books.intents[dispute.intent_id])

    def payout(self, entry: Entry, event: str, payout: Payout) -> None:
        body = self.envelope(new_id("evt"), event, payout_json(payout))
        self.post(entry, event, body, payout.id, payout.id)

    def post(
        self, entry: Entry, event: str, body: str, subject: str, identity: str, *, plain: bool = False
    ) -> str:
        """Sends any body as an event; its id for the delivery log."""
        letter = Letter(
            id=new_id("we"),
            provider=NAME,
            event=event,
            url=self._account.webhook_url,
            body=body,
            subject=subject,
            identity=identity,
            sign=lambda which: self._headers(body, which),
        )
        self._deliveries.send(entry, letter, plain=plain)
        return letter.id

    def envelope(
        self,
        event_id: str,
        event: str,
        view: Json,
        *,
        account: str | None = None,
        livemode: bool = False,
    ) -> str:
        """Indented as Stripe sends it: a body that was decoded and encoded again no longer verifies."""
        envelope: Json = {
            "id": event_id,
            "object": "event",
            "api_version": API_VERSION,
            "created": int(self._clock.now()),
            "data": {"object": view},
            "livemode": livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event,
        }
        if account is not None:
            envelope["account"] = account
        return json.dumps(envelope, indent=2, ensure_ascii=False)

    def sign_again(self, webhook: Webhook) -> dict[str, str]:
        """The headers of one try: each bears the time at which it is made."""
        return self._headers(webhook.body, webhook.secret)

    def sent(self) -> list[Json]:
        """Every event of the account, newest first, as `GET /v1/events` shows them."""
        bodies = (w.body for w in self._deliveries.webhooks.newest_first() if w.provider == NAME)
        return [json.loads(body) for body in bodies]

    def _emit(self, entry: Entry, event: str, view: Json, intent: Intent) -> None:
        body = self.envelope(new_id("evt"), event, view)
        self.post(entry, event, body, intent.id, intent.name)

    def _headers(self, body: str, which: Secret) -> dict[str, str]:
        """One `v1` for each secret in force, and the `v0` that test mode adds to be ignored."""
        account, now = self._account, self._clock.now()
        used = [account.webhook_secret]
        old = account.old_webhook_secret
        if which == "old":
            used = [old or account.webhook_secret]
        elif which == "wrong":
            used = [f"not {account.webhook_secret}"]
        elif old is not None and now < account.old_secret_until:
            used.append(old)
        at = int(now)
        signed = [f"v1={webhook_signature(secret, at, body)}" for secret in used]
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": ",".join([f"t={at}", *signed, f"v0={secrets.token_hex(32)}"]),
        }
