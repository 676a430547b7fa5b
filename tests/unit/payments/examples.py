"""Orders, policies and facts that the tests of the rules start from."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from services.payments.domain import facts
from services.payments.domain.attempts import attempt_opened, create_payment
from services.payments.domain.orders import cancel_order, place_order
from services.payments.domain.state import Asker, Payment, Policy, ProviderPolicy
from shared.decision import Answer, Decision, Outgoing, Task
from shared.messages.facts import (
    AttemptOpened,
    ChargeFact,
    ChargeState,
    DisputeFact,
    Looked,
    ProviderOrderFact,
    RefundFact,
    Seen,
)
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import CancelOrder, ConfirmCheckout, CreatePayment
from shared.providers.razorpay.adapter import RazorpayAdapter
from shared.settings import RazorpaySettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AMOUNT = 49_900
SOMEONE = Asker("waiting-1")

_razorpay = RazorpayAdapter(RazorpaySettings(key_id="rzp_test_x", key_secret="k" * 20, account="acc_1"))

POLICY = Policy(
    providers={
        "razorpay": ProviderPolicy(
            name="razorpay",
            account="acc_1",
            check_amount=_razorpay.check_amount,
            check_refund=_razorpay.check_refund,
            attempt_lifetime_s=1800,
            look_while_open_s=(300, 900),
            look_after_verify_s=30,
            look_after_close_s=(900, 3600, 86400),
        )
    },
    payment_window_s=86400,
    capture_grace_s=120,
)


def _takes_anything(_amount: int, _currency: str) -> None:
    return None


def provider(name: str, **can: bool) -> ProviderPolicy:
    """A provider that can do these things."""
    return ProviderPolicy(
        name=name,
        account=f"acc_{name}",
        check_amount=_takes_anything,
        check_refund=_takes_anything,
        attempt_lifetime_s=1800,
        look_while_open_s=(300, 900),
        look_after_verify_s=30,
        look_after_close_s=(900,),
        **can,
    )


# One provider of each kind, in this order of preference.
THREE = msgspec.structs.replace(
    POLICY,
    providers={
        **POLICY.providers,
        "stripe": provider("stripe", partial_capture=True, void=True, cancel_open=True),
        "paypal": provider("paypal", manual_capture=False, capture_on_approval=True),
    },
)


def order(**changes: object) -> OrderPlaced:
    """An order of one line over 499.00 INR."""
    fields: dict[str, object] = {
        "order_id": "order-1",
        "amount": AMOUNT,
        "currency": "INR",
        "lines": (OrderLine(name="Teapot", quantity=1, unit_amount=AMOUNT),),
        "customer": Customer(name="Asha", email="asha@shop.test"),
    }
    return OrderPlaced(**(fields | changes))  # type: ignore[arg-type]


def charge(
    state: ChargeState, charge_id: str = "pay_1", amount: int = AMOUNT, currency: str = "INR"
) -> ChargeFact:
    """What Razorpay says of a payment on the first attempt."""
    return ChargeFact(
        charge_id=charge_id, provider_order_id="order_P1", state=state, amount=amount, currency=currency
    )


@dataclass
class Story:
    """Applies decisions one after another and keeps all that they said."""

    payment: Payment = field(default_factory=lambda: Payment("order-1"))
    policy: Policy = POLICY
    now: datetime = NOW
    events: list[Outgoing] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    open_tasks: dict[str, Task] = field(default_factory=dict)

    def tell(self, decision: Decision[Payment]) -> "Story":
        self.payment = decision.state
        self.events += decision.events
        self.answers += decision.answers
        for key in decision.dropped:
            self.open_tasks.pop(key, None)
        for task in decision.tasks:
            self.open_tasks.setdefault(task.key, task)
        return self

    def later(self, seconds: float) -> "Story":
        self.now += timedelta(seconds=seconds)
        return self

    def happened(self) -> list[str]:
        """The events' names, payments' own only."""
        return [type(e.message).__name__ for e in self.events if e.topic == "payments.events"]

    def placed(self, **changes: object) -> "Story":
        return self.tell(place_order(self.payment, order(**changes), SOMEONE, self.now, self.policy))

    def asked_to_pay(self, provider: str | None = None) -> "Story":
        command = CreatePayment(order_id="order-1", provider=provider)
        return self.tell(create_payment(self.payment, command, SOMEONE, self.now, self.policy))

    def opened(self, provider_order_id: str = "order_P1") -> "Story":
        attempt = self.payment.attempts[-1]
        self.open_tasks.pop(f"open:{attempt.id}", None)
        fact = ProviderOrderFact(
            provider_order_id=provider_order_id, reference=attempt.id, amount=AMOUNT, currency="INR"
        )
        result = AttemptOpened(order_id="order-1", attempt_id=attempt.id, fact=fact)
        return self.tell(attempt_opened(self.payment, result, self.now, self.policy))

    def heard(
        self,
        *charges: ChargeFact,
        refunds: tuple[RefundFact, ...] = (),
        disputes: tuple[DisputeFact, ...] = (),
        provider: str = "razorpay",
    ) -> "Story":
        what = Seen(charges=charges, refunds=refunds, disputes=disputes)
        return self.tell(facts.seen(self.payment, provider, what, self.now, self.policy))

    def paid(self) -> "Story":
        return self.awaiting_buyer().heard(charge("captured"))

    def asked(self, kind: str) -> list[dict[str, object]]:
        """What the open tasks of this kind ask a provider for."""
        return [msgspec.json.decode(t.payload) for t in self.open_tasks.values() if t.kind == kind]

    def answered(self) -> tuple[str, dict[str, object]]:
        """(code, body) of the newest answer."""
        return self.answers[-1].code, msgspec.json.decode(self.answers[-1].answer)

    def awaiting_buyer(self) -> "Story":
        return self.placed().asked_to_pay().opened()


def seen(story: Story, *charges: ChargeFact) -> Story:
    return story.heard(*charges)


def verified(story: Story, asker: Asker = SOMEONE) -> Story:
    command = ConfirmCheckout(order_id="order-1", provider="razorpay", provider_order_id="order_P1")
    return story.tell(facts.confirm_checkout(story.payment, command, asker, story.now, POLICY))


def looked(story: Story, *charges: ChargeFact, verify: int = 0, round_: int = 0, late: bool = False) -> Story:
    result = Looked(
        order_id="order-1",
        attempt_id=story.payment.attempts[0].id,
        reason="verify" if verify else "late" if late else "schedule",
        seen=Seen(charges=charges),
        verify=verify,
        round=round_,
    )
    story.open_tasks.pop(f"look:{result.attempt_id}", None)
    return story.tell(facts.looked(story.payment, result, story.now, POLICY))


def cancelled(story: Story) -> Story:
    command = CancelOrder(order_id="order-1", reason="changed my mind")
    return story.tell(cancel_order(story.payment, command, SOMEONE, story.now, POLICY))
