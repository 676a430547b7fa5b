"""Circuits: when a provider is left alone, and how it comes back."""

import asyncio

import pytest

from services.payments.breaker import Breakers, Circuit
from services.payments.handlers import Handlers
from services.payments.webhooks import Webhooks
from shared.errors import OutcomeUnknown, Rejected, Unavailable
from shared.inbox import Incoming
from shared.messages.base import wrap
from shared.messages.payments import CreatePayment
from tests.unit.payments.examples import NOW, THREE, Story

OPEN_S = 10.0


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(failures_max=3, open_s=OPEN_S, clock=clock)


@pytest.fixture
def circuit(breakers: Breakers) -> Circuit:
    return breakers.circuit("razorpay", "open_order")


def ask(circuit: Circuit, error: Exception | None = None) -> str:
    """How one call that ends like this ends for its caller: "not made" when it was not made at all."""
    made = []

    async def work() -> None:
        made.append(True)
        if error is not None:
            raise error

    try:
        asyncio.run(circuit.call(work))
    except (Rejected, OutcomeUnknown):
        return "failed"
    except Unavailable:
        return "failed" if made else "not made"
    return "answered"


AWAY = Unavailable("provider-unavailable", "away")
UNKNOWN = OutcomeUnknown("provider-outcome-unknown", "lost")


@pytest.mark.parametrize("error", [AWAY, UNKNOWN])
def test_failures_in_a_row_open_it_and_calls_are_no_longer_made(circuit: Circuit, error: Exception) -> None:
    assert [ask(circuit, error) for _ in range(3)] == ["failed"] * 3
    assert circuit.state == "open"
    assert ask(circuit) == "not made"


def test_failures_between_answers_do_not_open_it(circuit: Circuit) -> None:
    for _ in range(10):
        ask(circuit, AWAY)
        ask(circuit, AWAY)
        ask(circuit)
    assert circuit.state == "closed"


def test_a_refusal_is_an_answer(circuit: Circuit) -> None:
    for error in (AWAY, AWAY, Rejected("provider-rejected", "no"), AWAY, AWAY):
        ask(circuit, error)
    assert circuit.state == "closed"


def test_after_its_time_one_call_tries_and_closes_it(circuit: Circuit, clock: Clock) -> None:
    for _ in range(3):
        ask(circuit, AWAY)
    clock.now_s += OPEN_S
    states = [circuit.state]
    assert ask(circuit) == "answered"
    states.append(circuit.state)
    assert ask(circuit, AWAY) == "failed"
    states.append(circuit.state)
    assert states == ["half_open", "closed", "closed"], "the count began anew"


def test_a_try_that_fails_opens_it_again(circuit: Circuit, clock: Clock) -> None:
    for _ in range(3):
        ask(circuit, AWAY)
    clock.now_s += OPEN_S
    assert ask(circuit, AWAY) == "failed"
    assert ask(circuit) == "not made"
    clock.now_s += OPEN_S
    assert ask(circuit) == "answered"


def test_only_one_call_tries_even_when_an_old_one_ends_meanwhile(circuit: Circuit, clock: Clock) -> None:
    async def scene() -> str:
        old_ends, try_ends = asyncio.Event(), asyncio.Event()

        async def fails_late(event: asyncio.Event) -> None:
            await event.wait()
            raise AWAY

        old = asyncio.create_task(circuit.call(lambda: fails_late(old_ends)))
        await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.gather(circuit.call(_away), return_exceptions=True)
        clock.now_s += OPEN_S
        trying = asyncio.create_task(circuit.call(lambda: fails_late(try_ends)))
        await asyncio.sleep(0)
        old_ends.set()
        await asyncio.gather(old, return_exceptions=True)
        clock.now_s += OPEN_S
        state = circuit.state
        try_ends.set()
        await asyncio.gather(trying, return_exceptions=True)
        return state

    assert asyncio.run(scene()) == "open", "the one that tries is still under way"


async def _away() -> None:
    raise AWAY


def test_each_provider_and_operation_has_its_own(breakers: Breakers, circuit: Circuit) -> None:
    for _ in range(3):
        ask(circuit, AWAY)
    assert ask(breakers.circuit("razorpay", "refund")) == "answered"
    assert ask(breakers.circuit("stripe", "open_order")) == "answered"


def test_buyers_are_sent_elsewhere_only_while_it_is_open(breakers: Breakers, clock: Clock) -> None:
    for _ in range(3):
        ask(breakers.circuit("razorpay", "refund"), AWAY)
    assert breakers.unhealthy() == frozenset(), "a refund that fails says nothing of checkouts"
    for _ in range(3):
        ask(breakers.circuit("razorpay", "look"), AWAY)
    assert breakers.unhealthy() == {"razorpay"}
    clock.now_s += OPEN_S
    assert breakers.unhealthy() == frozenset(), "half open: it may be tried"


def test_the_rules_hear_of_it_at_their_next_decision(breakers: Breakers, circuit: Circuit) -> None:
    handlers = Handlers(THREE, Webhooks({}), unhealthy=breakers.unhealthy)
    command = CreatePayment(order_id="order-1")
    envelope = wrap(command, source="gateway", subject="order-1", time=NOW)
    incoming = Incoming(envelope.id, envelope, command, b"")
    placed = Story(policy=THREE).placed().payment
    assert handlers.decide(placed, incoming, NOW).state.attempts[-1].provider == "razorpay"
    for _ in range(3):
        ask(circuit, AWAY)
    attempt = handlers.decide(placed, incoming, NOW).state.attempts[-1]
    assert (attempt.provider, attempt.why) == ("stripe", "preferred; razorpay is not healthy")
