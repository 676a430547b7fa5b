"""Facts, commands, task results and crashes in any order: in the end the books are the provider's.

For each provider's way of working hypothesis plays buyers, a merchant, a lossy network and a process that
may die at any moment between two commits. The rules and the code that calls providers are the real ones.
A decision that was not committed leaves nothing, so a death is one of: before the call, after the provider
acted, after its answer. Then everything heals, and each write, event and amount is compared.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
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

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.orders import place_order
from services.payments.domain.status import reachable
from services.payments.handlers import COMMAND_HANDLERS, RESULT_HANDLERS
from services.payments.tasks import Performers
from shared.decision import Decision
from shared.messages.base import IdempotencyKey, Message
from shared.messages.payments import (
    CancelOrder,
    CapturePayment,
    ConfirmCheckout,
    CreatePayment,
    LookAgain,
    RefundPayment,
)
from shared.providers.base import Adapter
from shared.tasks import Answered, ClaimedTask
from tests.unit.payments.examples import AMOUNT, NOW, SOMEONE, THREE, Story, order
from tests.unit.payments.model_provider import Fate, Kind, ModelProvider

EXAMPLES = max(50, int(os.environ.get("PAYSTREAM_SEQUENCES", "150")) // 16)
STEPS = 30
HEALING_MAX = 400  # tasks and webhooks after the last fault; a payment that needs more never comes to rest
# As often well as not: a history in which nothing ever works shows little.
FATES: tuple[Fate, ...] = ("answers", "answers", "answers", "acts and is silent", "is silent", "is away")
DEATHS = ("none", "none", "none", "none", "before the call", "before the commit")
COUNTED: Counter[str] = Counter()


@dataclass
class World:
    """One order, one provider, the tasks of our database and the loop that works on them."""

    provider: ModelProvider
    capture: str
    story: Story = field(default_factory=Story)
    due: dict[str, datetime] = field(default_factory=dict)
    claims: Counter[str] = field(default_factory=Counter)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        name = self.provider.name
        policy = msgspec.structs.replace(THREE, providers={name: THREE.providers[name]})
        self.story = Story(policy=policy)
        self.commit(place_order(self.story.payment, order(capture=self.capture), SOMEONE, NOW, policy))

    def commit(self, decision: Decision[Any]) -> None:
        """One transaction: state, events and tasks, and the transition is one of the table."""
        before = self.story.payment.status
        self.story.tell(decision)
        for task in decision.tasks:  # one that waits already is only brought forward
            due = self.story.now + timedelta(seconds=task.delay_s)
            self.due[task.key] = min(due, self.due.get(task.key, due))
        after = self.story.payment.status
        assert after == before or (before, after) in reachable(), f"{before} → {after}"
        amounts = amounts_of(self.story.payment)
        assert amounts.net == amounts.captured - amounts.refunded - amounts.disputed - amounts.lost
        assert self.story.happened().count("PaymentPaid") <= 1
        COUNTED["steps"] += 1

    def command(self, command: Message) -> None:
        story = self.story
        handler = COMMAND_HANDLERS[type(command)]
        self.commit(handler(story.payment, command, SOMEONE, story.now, story.policy))

    def hear(self, number: int) -> None:
        """One webhook arrives; it stays on its way, for it may come again."""
        story, told = self.story, self.provider.webhooks[number]
        decision = facts.webhook_received(story.payment, self.provider.name, told, story.now, story.policy)
        self.commit(decision)

    def work(self, key: str, fate: Fate = "answers", death: str = "none") -> None:
        """One claim of a task. Who dies leaves it open: the next claim is not the first any more."""
        story = self.story
        task = story.open_tasks[key]
        story.now = max(story.now, self.due[key])
        self.claims[key] += 1
        if death == "before the call":
            return
        claimed = ClaimedTask(1, task.kind, key, task.subject, task.payload, self.claims[key])
        self.provider.fate = fate
        performers = Performers({self.provider.name: cast("Adapter", self.provider)}, _nobody)
        result = self.loop.run_until_complete(performers.table()[task.kind](claimed))
        self.provider.fate = "answers"
        if death == "before the commit":
            return
        if not isinstance(result, Answered):
            self.due[key] = story.now + timedelta(seconds=result.delay_s)
            return
        del story.open_tasks[key], self.due[key]
        del self.claims[key]
        handler = RESULT_HANDLERS[type(result.message)]
        self.commit(handler(story.payment, result.message, story.now, story.policy))

    def heal(self) -> None:
        """No more faults: banks decide, time passes, and somebody has every provider order read."""
        taken = {c.charge_id for c in self.story.payment.charges if c.capture_asked}
        for charge in list(self.provider.charges.values()):
            if charge.state == "authorized" and self.capture == "manual" and charge.charge_id not in taken:
                self.provider.moves(charge.charge_id, "lapsed")
        self._rest()
        self.command(LookAgain(order_id="order-1"))
        self._rest()
        while pending := [r for r in self.provider.refunds.values() if r.state == "pending"]:
            self.provider.refund_ends(pending[0].refund_id, "succeeded")
            self.command(LookAgain(order_id="order-1"))
            self._rest()

    def _rest(self) -> None:
        for _ in range(HEALING_MAX):
            if not self.story.open_tasks:
                return
            self.work(min(self.story.open_tasks, key=lambda key: (self.due[key], key)))
        raise AssertionError(f"it never comes to rest: {sorted(self.story.open_tasks)}")


async def _nobody(_provider: str, _account: str, _reference: str) -> None:
    return None


def compare(world: World) -> None:
    """Ours against the provider's, to the last minor unit; each thing that we did was done once."""
    payment, provider, story = world.story.payment, world.provider, world.story
    references = Counter(order.request.reference for order in provider.orders.values())
    assert all(times == 1 for times in references.values()), references
    ours = {c.charge_id: (c.state, c.amount) for c in payment.charges}
    for charge in provider.charges.values():
        if charge.state in ("captured", "authorized"):
            assert ours.get(charge.charge_id) == (charge.state, charge.amount)
    captured = {c.charge_id: c.amount for c in provider.charges.values() if c.state == "captured"}
    counted = {r.provider_refund_id: r for r in payment.refunds_of_captures if r.state != "failed"}
    theirs = {r.refund_id: r for r in provider.refunds.values() if r.state != "failed"}
    assert counted.keys() == theirs.keys()
    for refund_id, refund in theirs.items():
        known = counted[refund_id]
        assert (known.state, known.amount, known.charge_id) == (refund.state, refund.amount, refund.charge_id)
    made = Counter(r.reference for r in theirs.values() if r.reference)
    assert all(times == 1 for times in made.values()), made
    back = sum(r.amount for r in theirs.values() if r.state == "succeeded")
    assert amounts_of(payment).net == sum(captured.values()) - back
    told = Counter(story.happened())
    assert told["PaymentPaid"] == bool(captured)
    assert told["RefundRequested"] == len(payment.refunds_of_captures)
    assert told["RefundSucceeded"] == sum(r.succeeded for r in payment.refunds_of_captures)
    to_people = {f.subject for f in payment.flags if f.reason == "refund_refused"}
    for mine in payment.charges:  # what the order did not need went back by itself, or a person is asked
        if mine.state == "captured" and not mine.stands:
            assert provider.left(mine.charge_id) == 0 or mine.charge_id in to_people
    versions = [e.version for e in story.events if e.topic == "payments.events"]
    assert versions == list(range(1, len(versions) + 1))


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
    def a_worker_claims_a_task(self, pick: int, fate: Fate, death: str) -> None:
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
