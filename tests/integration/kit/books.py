"""The checker: compares what was asked for with database, topics and bank; shares no code with the kit."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.integration.kit.example.messages import EVENTS
from tests.integration.kit.records import order_violations
from tests.integration.kit.system import System


@dataclass
class Books:
    """Everything that does not add up, by the ids of docs/invariants.md. Empty is good."""

    wrong: list[str] = field(default_factory=list)
    published: int = 0
    published_again: int = 0
    redelivered: int = 0

    def check(self, invariant: str, holds: bool, text: str) -> None:
        if not holds:
            self.wrong.append(f"{invariant}: {text}")


async def audit(system: System, deposited: int, payouts: Iterable[str] = ()) -> Books:
    """`deposited`: what all distinct deposits add up to; `payouts`: every operation that must have moved.

    Events that a test itself put into the topic have the source `test`.
    """
    books = Books(redelivered=int(await system.metric("paystream_messages_total", 'outcome="repeated"')))
    have = await system.value("SELECT coalesce(sum(deposited), 0) FROM accounts")
    books.check("S10", have >= deposited, f"lost {deposited - have} of {deposited}")
    books.check("S9", have <= deposited, f"{have - deposited} counted twice")
    await _outbox_against_topic(system, books)
    await _effects(system, books)
    await _bank(system, books, set(payouts))
    for table in ("outbox_pending", "starts"):
        left = await system.value(f"SELECT count(*) FROM {table}")
        books.check("S23", left == 0, f"{left} rows left in {table}")
    return books


async def _outbox_against_topic(system: System, books: Books) -> None:
    records = [r for r in await system.dump(EVENTS) if r.envelope.source == "example"]
    said = {str(r["message_id"]) for r in await system.sql("SELECT message_id FROM outbox")}
    heard = {r.envelope.id for r in records}
    books.published, books.published_again = len(heard), len(records) - len(heard)
    books.check("S7", not said - heard, f"{len(said - heard)} events never published")
    books.check("S7", not heard - said, f"{len(heard - said)} events that nobody decided")
    violations = order_violations(records)
    books.check("S8", not violations, f"{len(violations)} out of order: {violations[:3]}")
    versions = await system.sql("SELECT account, version FROM accounts")
    numbers: dict[str, set[int]] = {}
    for record in records:
        numbers.setdefault(record.envelope.subject, set()).add(record.envelope.version or 0)
    for row in versions:
        wanted = set(range(1, row["version"] + 1))
        got = numbers.get(row["account"], set())
        books.check("S6", got == wanted, f"{row['account']}: versions {sorted(got ^ wanted)[:5]}")


async def _effects(system: System, books: Books) -> None:
    doubled = await system.value("SELECT count(*) - count(DISTINCT event_id) FROM effects")
    books.check("S9", doubled == 0, f"{doubled} effects happened twice")
    missing = await system.value(
        "SELECT count(*) FROM outbox o"
        " WHERE NOT EXISTS (SELECT 1 FROM effects e WHERE e.event_id = o.message_id)"
    )
    books.check("S16", missing == 0, f"{missing} events without their effect")
    behind = await system.value(
        "SELECT count(*) FROM accounts a JOIN seen s USING (account) WHERE a.version <> s.version"
    )
    books.check("S20", behind == 0, f"{behind} accounts where the projection shows another version")


async def _bank(system: System, books: Books, payouts: set[str]) -> None:
    moved = system.moved()
    twice = [operation for operation, times in moved.items() if times > 1]
    books.check("S1", not twice, f"the bank moved money twice for {twice[:5]}")
    books.check("S3", set(moved) >= payouts, f"never moved: {sorted(payouts - set(moved))[:5]}")
    books.check("S2", set(moved) <= payouts, f"moved without being asked: {sorted(set(moved) - payouts)[:5]}")
    open_ones = await system.value("SELECT count(*) FROM payouts WHERE NOT done")
    books.check("S3", open_ones == 0, f"{open_ones} payouts nobody heard of again")
    overdrawn = await system.value(
        "SELECT count(*) FROM accounts a WHERE deposited < "
        "(SELECT coalesce(sum(amount), 0) FROM payouts p WHERE p.account = a.account)"
    )
    books.check("S5", overdrawn == 0, f"{overdrawn} accounts overdrawn")


def evidence(what: str, system: System, books: Books) -> None:
    """One line that says what was done to the system and what came of it."""
    print(
        f"{what}: kills {system.kills}, redelivered {books.redelivered}, published {books.published} "
        f"(+{books.published_again} again), wrong {len(books.wrong)} {books.wrong[:3]}"
    )
