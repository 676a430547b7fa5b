"""Facts, commands, task results and crashes in any order: in the end the books are the provider's.

For each provider's way of working hypothesis plays buyers, a merchant, a lossy network and a process that
may die at any moment between two commits. The rules and the code that calls providers are the real ones.
A decision that was not committed leaves nothing, so a death is one of: before the call, after the provider
acted, after its answer. Then everything heals, and each write, event and amount is compared.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.messages.base import IdempotencyKey
from shared.messages.payments import (
    CancelOrder,
    CapturePayment,
    ConfirmCheckout,
    CreatePayment,
    RefundPayment,
)
from tests.unit.payments.examples import AMOUNT
from tests.unit.payments.model_provider import Fate, Kind, ModelProvider
from tests.unit.payments.world import Death, World, compare

EXAMPLES = max(50, int(os.environ.get("PAYSTREAM_SEQUENCES", "150")) // 16)
STEPS = 30
# As often well as not: a history in which nothing ever works shows little.
FATES: tuple[Fate, ...] = ("answers", "answers", "answers", "acts and is silent", "is silent", "is away")
DEATHS: tuple[Death, ...] = ("none", "none", "none", "none", "before the call", "before the commit")
COUNTED: Counter[str] = Counter()


numbers = st.integers(0, 10_000)


class AnyCrash(RuleBasedStateMachine):
    """Who may do something does it at any time, any number of times."""

    kind: Kind

    @initialize(capture=st.sampled_from(["automatic", "manual"]), opened=st.booleans())
    def begins(self, capture: str, opened: bool) -> None:
        self.world = World(ModelProvider(self.kind), "automatic" if self.kind == "paypal" else capture)
        self.bank = self.world.provider
        self.world.command(CreatePayment(order_id="order-1", provider=self.kind))
        if opened:
            self.world.work(f"open:{self.world.story.payment.attempts[0].id}")

    # --- us -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.story.open_tasks)
    @rule(pick=numbers, fate=st.sampled_from(FATES), death=st.sampled_from(DEATHS))
    def a_worker_claims_a_task(self, pick: int, fate: Fate, death: Death) -> None:
        keys = sorted(self.world.story.open_tasks)
        self.world.work(keys[pick % len(keys)], fate, death)

    @precondition(lambda self: self.bank.webhooks)
    @rule(pick=numbers)
    def a_webhook_arrives(self, pick: int) -> None:
        self.world.hear(pick % len(self.bank.webhooks))

    @precondition(lambda self: self.world.story.payment.status in ("created", "pending_payment", "failed"))
    @rule()
    def the_buyer_asks_to_pay(self) -> None:
        self.world.command(CreatePayment(order_id="order-1"))

    @precondition(lambda self: self.bank.orders)
    @rule(pick=numbers)
    def the_buyer_comes_back(self, pick: int) -> None:
        order_id = list(self.bank.orders)[pick % len(self.bank.orders)]
        command = ConfirmCheckout(order_id="order-1", provider=self.kind, provider_order_id=order_id)
        self.world.command(command)

    @precondition(lambda self: self.world.capture == "manual" and self.bank.charges)
    @rule(amount=st.sampled_from([None, AMOUNT // 2, AMOUNT]))
    def the_shop_captures(self, amount: int | None) -> None:
        self.world.command(CapturePayment(order_id="order-1", amount=amount))

    @precondition(lambda self: self.bank.charges)
    @rule(amount=st.sampled_from([None, AMOUNT // 3, AMOUNT * 3 // 5]), key=st.sampled_from("abc"))
    def the_shop_refunds(self, amount: int | None, key: str) -> None:
        asked = IdempotencyKey(principal="shop", key=key, fingerprint=b"x")
        self.world.command(RefundPayment(order_id="order-1", amount=amount, idempotency=asked))

    @rule(decided=st.sampled_from([False, False, False, True]))
    def the_shop_cancels(self, decided: bool) -> None:
        if decided:
            self.world.command(CancelOrder(order_id="order-1"))

    # --- the others ---------------------------------------------------------------------------------------

    def _open_order(self, pick: int) -> str | None:
        shown = {attempt.provider_order_id for attempt in self.world.story.payment.attempts}
        able = [id_ for id_, each in self.bank.orders.items() if not each.cancelled and id_ in shown]
        return able[pick % len(able)] if able else None

    @precondition(lambda self: self.bank.orders)
    @rule(pick=numbers, good=st.booleans(), at_once=st.booleans())
    def the_buyer_pays(self, pick: int, good: bool, at_once: bool) -> None:
        order_id = self._open_order(pick)
        if order_id is None:
            return
        paid = any(c.state == "captured" for c in self.bank.charges_of(order_id))
        if self.kind == "paypal":
            if not paid:
                self.bank.approves(order_id, declines=not good)
        elif self.kind == "razorpay" or not any(
            c.state in ("captured", "authorized", "pending") for c in self.bank.charges_of(order_id)
        ):  # Razorpay lets a second tab pay once more
            automatic = self.world.capture == "automatic"
            self.bank.new_charge(
                order_id, "failed" if not good else "captured" if automatic and at_once else "authorized"
            )

    @precondition(lambda self: any(c.state in ("failed", "authorized") for c in self.bank.charges.values()))
    @rule(pick=numbers)
    def the_bank_thinks_again(self, pick: int) -> None:
        """A declined payment is authorised late; an authorisation lapses when nobody took it."""
        able = [c for c in self.bank.charges.values() if c.state in ("failed", "authorized")]
        charge = able[pick % len(able)]
        if charge.state == "authorized":
            self.bank.moves(charge.charge_id, "lapsed")
        elif self.kind == "razorpay":
            self.bank.moves(charge.charge_id, "authorized")

    @precondition(lambda self: any(r.state == "pending" for r in self.bank.refunds.values()))
    @rule(pick=numbers, good=st.booleans())
    def a_refund_ends(self, pick: int, good: bool) -> None:
        able = [r for r in self.bank.refunds.values() if r.state == "pending"]
        self.bank.refund_ends(able[pick % len(able)].refund_id, "succeeded" if good else "failed")

    @precondition(lambda self: any(self.bank.left(c) > 1000 for c in self.bank.charges))
    @rule(pick=numbers)
    def the_merchant_refunds_in_the_dashboard(self, pick: int) -> None:
        able = [c for c in self.bank.charges if self.bank.left(c) > 1000]
        self.bank.gives_back(able[pick % len(able)], 1000)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.heal()
            compare(self.world)
        finally:
            self.world.loop.close()
        COUNTED["interleavings"] += 1
        COUNTED["steps"] += self.world.steps
        COUNTED["provider writes"] += self.bank.writes


@pytest.mark.parametrize("kind", ["razorpay", "stripe", "paypal"])
def test_the_books_are_the_providers_after_any_crash(kind: Kind) -> None:
    machine = type(f"AnyCrash_{kind}", (AnyCrash,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    yield
    print(f"\nany crash: {dict(COUNTED)}")
