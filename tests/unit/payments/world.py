"""One order, one provider in memory, our tasks and a process that may die between any two commits."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import msgspec

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.orders import place_order
from services.payments.domain.status import reachable
from services.payments.handlers import COMMAND_HANDLERS, RESULT_HANDLERS
from services.payments.tasks import Performers
from shared.decision import Decision
from shared.messages.base import Message
from shared.messages.payments import LookAgain
from shared.providers.base import Adapter
from shared.tasks import Answered, ClaimedTask
from tests.unit.payments.examples import NOW, SOMEONE, THREE, Story, order
from tests.unit.payments.model_provider import Fate, ModelProvider

HEALING_MAX = 400  # tasks after the last fault; a payment that needs more never comes to rest
Death = Literal["none", "before the call", "before the commit"]


@dataclass
class World:
    """One order, one provider, the tasks of our database and the loop that works on them."""

    provider: ModelProvider
    capture: str
    story: Story = field(default_factory=Story)
    due: dict[str, datetime] = field(default_factory=dict)
    claims: Counter[str] = field(default_factory=Counter)
    steps: int = 0
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
        self.steps += 1

    def command(self, command: Message) -> None:
        story = self.story
        handler = COMMAND_HANDLERS[type(command)]
        self.commit(handler(story.payment, command, SOMEONE, story.now, story.policy))

    def hear(self, number: int) -> None:
        """One webhook arrives; it stays on its way, for it may come again."""
        story, told = self.story, self.provider.webhooks[number]
        decision = facts.webhook_received(story.payment, self.provider.name, told, story.now, story.policy)
        self.commit(decision)

    def work(self, key: str, fate: Fate = "answers", death: Death = "none") -> None:
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
