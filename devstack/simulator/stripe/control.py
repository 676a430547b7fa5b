"""Control calls below /_sim/stripe: what buyers, banks and a person in the dashboard do."""

import msgspec
from aiohttp import web

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Ledger
from devstack.simulator.stripe.account import DAY_S, Account
from devstack.simulator.stripe.acts import serve
from devstack.simulator.stripe.balance import Balance, PayoutRequest
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.buyers import Buyers, Form
from devstack.simulator.stripe.disputes import Disputes, NewDispute
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.ids import new_id
from devstack.simulator.stripe.intents import Intents
from devstack.simulator.stripe.refunds import RefundRequest, Refunds


class Authentication(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a 3-D Secure step ends."""

    passed: bool = True


class Settlement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The bank's word on a debit."""

    succeeded: bool = True


class Taking(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How much to capture; nothing said means all."""

    amount: int | None = None


class RawEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook made by hand: any object as an event, or any body, signed like the others."""

    event: str
    data: dict[str, object] = {}
    account: str | None = None
    livemode: bool = False
    body: str | None = None
    subject: str = "by hand"


class NewSecret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The old secret signs beside the new one for so long, of the provider's time (docs: up to 24 h)."""

    webhook_secret: str
    overlap_s: float = DAY_S


class PaymentControl:
    """What happens to intents, and webhooks by hand."""

    def __init__(
        self,
        account: Account,
        ledger: Ledger,
        clock: Clock,
        books: Books,
        events: Events,
        intents: Intents,
        buyers: Buyers,
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._clock = clock
        self._books = books
        self._events = events
        self._intents = intents
        self._buyers = buyers

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/stripe"
        for path, act in (
            ("/payment_intents/{id}/pay", self.pay),
            ("/payment_intents/{id}/authenticate", self.authenticate),
            ("/payment_intents/{id}/capture", self.capture),
            ("/payment_intents/{id}/cancel", self.cancel),
            ("/payment_intents/{id}/expire", self.expire),
            ("/payment_intents/{id}/settle", self.settle),
            ("/webhooks", self.send_webhook),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))
        app.router.add_put(f"{base}/webhook-secret", serve(self._ledger, self.set_webhook_secret))

    def pay(self, request: web.Request, body: bytes) -> object:
        form = msgspec.json.decode(body or b"{}", type=Form)
        return self._buyers.pay(request.match_info["id"], form)

    def authenticate(self, request: web.Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body or b"{}", type=Authentication)
        return self._buyers.authenticate(request.match_info["id"], passed=wanted.passed)

    def capture(self, request: web.Request, body: bytes) -> object:
        """A person captures in the dashboard."""
        wanted = msgspec.json.decode(body or b"{}", type=Taking)
        intent = self._books.intent(request.match_info["id"])
        with self._ledger.entry("capture in the dashboard") as entry:
            return self._intents.capture(entry, intent, wanted.amount)

    def cancel(self, request: web.Request, _body: bytes) -> object:
        """A person cancels in the dashboard."""
        intent = self._books.intent(request.match_info["id"])
        with self._ledger.entry("cancel in the dashboard") as entry:
            return self._intents.cancel(entry, intent, "requested_by_customer")

    def expire(self, request: web.Request, _body: bytes) -> object:
        """The authorisation lapses now rather than in its days."""
        intent = self._books.intent(request.match_info["id"])
        with self._ledger.entry("authorisation lapses") as entry:
            return self._intents.lapse(entry, intent)

    def settle(self, request: web.Request, body: bytes) -> object:
        """A bank debit ends now rather than in its days."""
        wanted = msgspec.json.decode(body or b"{}", type=Settlement)
        intent = self._books.intent(request.match_info["id"])
        with self._ledger.entry("debit settled by the bank") as entry:
            return self._intents.settle(entry, intent, succeeded=wanted.succeeded)

    def send_webhook(self, _request: web.Request, body: bytes) -> object:
        """Any event, signed: foreign accounts, live mode, wrong amounts, unknown types."""
        raw = msgspec.json.decode(body, type=RawEvent)
        event_id = new_id("evt")
        text = raw.body
        if text is None:
            text = self._events.envelope(
                event_id, raw.event, raw.data, account=raw.account, livemode=raw.livemode
            )
        with self._ledger.entry("webhook by hand") as entry:
            sent = self._events.post(entry, raw.event, text, raw.subject, raw.subject, plain=True)
        return {"id": sent, "event": event_id}

    def set_webhook_secret(self, _request: web.Request, body: bytes) -> object:
        """Not kept over a restart: then the configuration file decides again."""
        wanted = msgspec.json.decode(body, type=NewSecret)
        account = self._account
        account.old_webhook_secret = account.webhook_secret
        account.old_secret_until = self._clock.now() + self._clock.real(wanted.overlap_s)
        account.webhook_secret = wanted.webhook_secret
        return {"changed": True}


class MoneyControl:
    """What happens to money that was taken."""

    def __init__(
        self, ledger: Ledger, books: Books, refunds: Refunds, disputes: Disputes, balance: Balance
    ) -> None:
        self._ledger = ledger
        self._books = books
        self._refunds = refunds
        self._disputes = disputes
        self._balance = balance

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/stripe"
        for path, act in (
            ("/charges/{id}/refund", self.refund),
            ("/charges/{id}/dispute", self.dispute),
            ("/refunds/{id}/succeed", self.succeed_refund),
            ("/refunds/{id}/fail", self.fail_refund),
            ("/disputes/{id}/{step}", self.decide_dispute),
            ("/payout", self.pay_out),
            ("/payouts/{id}/fail", self.fail_payout),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))

    def refund(self, request: web.Request, body: bytes) -> object:
        """A person refunds in the dashboard; no call of the shop's is behind it."""
        charge = self._books.charge(request.match_info["id"])
        wanted = msgspec.json.decode(body or b"{}", type=RefundRequest)
        with self._ledger.entry("refund in the dashboard") as entry:
            return self._refunds.create(entry, charge, wanted)

    def dispute(self, request: web.Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body or b"{}", type=NewDispute)
        return self._disputes.raise_by_hand(request.match_info["id"], wanted)

    def succeed_refund(self, request: web.Request, _body: bytes) -> object:
        return self._refunds.settle(request.match_info["id"], succeeded=True)

    def fail_refund(self, request: web.Request, _body: bytes) -> object:
        return self._refunds.settle(request.match_info["id"], succeeded=False)

    def decide_dispute(self, request: web.Request, _body: bytes) -> object:
        return self._disputes.decide(request.match_info["id"], request.match_info["step"])

    def pay_out(self, _request: web.Request, body: bytes) -> object:
        return self._balance.pay_out(msgspec.json.decode(body or b"{}", type=PayoutRequest))

    def fail_payout(self, request: web.Request, _body: bytes) -> object:
        return self._balance.fail(request.match_info["id"])
