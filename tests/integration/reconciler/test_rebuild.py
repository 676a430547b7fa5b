"""The projection can be read again from the first event on, and then says the same."""

import asyncio
import random

from shared.messages.facts import ChargeState
from shared.messages.payments import PaymentPaid
from tests.integration.reconciler.system import System, after, charge, day_of, eventually, paid

STATES: tuple[ChargeState, ...] = ("pending", "authorized", "captured")


def history(seed: int) -> list[tuple[str, int, ChargeState]]:
    """(order, version, charge state) of some orders, in the order in which payments would publish them."""
    draw = random.Random(seed)
    found = []
    for n in range(40):
        found += [(f"o-{n}", v, state) for v, state in enumerate(STATES[: draw.randint(1, 3)], 1)]
    return found


def event(order_id: str, version: int, state: ChargeState) -> PaymentPaid:
    return paid(order_id, version, charge(f"pay_{order_id}", f"order_{order_id}", state=state))


def printed(text: str) -> dict[str, str]:
    return dict(line.split() for line in text.strip().splitlines())


async def test_a_rebuilt_book_equals_the_one_before_and_nothing_is_sent(system: System) -> None:
    events = history(1)
    await system.start()
    again = random.Random(2).sample(events, 30)  # under new ids, older versions after newer ones
    await system.publish(*(event(*e) for e in events + again))
    await system.complete_until(after(day_of(0)))

    async def all_applied() -> bool:
        wanted = len(events) + len(again) + 6
        seen = await system.rows("SELECT 1 FROM inbox WHERE consumer = 'reconciler.payments.events'")
        return len(seen) == wanted

    await eventually(all_applied, 40)
    sent = await _sent(system)
    book = await _book(system)

    done = printed(await asyncio.to_thread(system.command, "rebuild"))
    assert done["before"] == done["after"]
    assert int(done["records"]) == len(events) + len(again) + 6
    assert done["unreadable"] == "0"
    assert await _book(system) == book
    assert await _sent(system) == sent

    await system.publish(event("o-new", 1, "captured"))
    await eventually(lambda: system.rows("SELECT 1 FROM orders WHERE order_id = 'o-new'"))


async def test_a_rebuild_mends_a_book_that_was_changed_by_hand(system: System) -> None:
    await system.start()
    await system.publish(event("o-1", 1, "captured"), event("o-2", 1, "captured"))
    await eventually(lambda: system.rows("SELECT 1 FROM charges HAVING count(*) = 2"))
    book = await _book(system)
    await system.rows("UPDATE charges SET amount = amount + 1 WHERE order_id = 'o-1' RETURNING 1")
    await system.rows("DELETE FROM charges WHERE order_id = 'o-2' RETURNING 1")

    done = printed(await asyncio.to_thread(system.command, "rebuild"))
    assert done["before"] != done["after"]
    assert await _book(system) == book


async def _book(system: System) -> list[dict[str, object]]:
    return [
        *await system.rows("SELECT * FROM orders ORDER BY order_id"),
        *await system.rows("SELECT * FROM charges ORDER BY charge_id"),
        *await system.rows("SELECT * FROM refunds ORDER BY refund_id"),
        *await system.rows("SELECT * FROM disputes ORDER BY dispute_id"),
        *await system.rows("SELECT * FROM provider_orders ORDER BY provider_order_id"),
        *await system.rows("SELECT * FROM checkpoints ORDER BY partition"),
    ]


async def _sent(system: System) -> tuple[int, ...]:
    topics = ("payments.commands", "reconciler.events", "payments.events", "orders.events")
    return tuple([len(await system.sent(topic)) for topic in topics])
