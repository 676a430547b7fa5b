"""What a process left half done when it died: the proof that a fault bit, and what must be done again."""

from dataclasses import dataclass

from tests.chaos.checker.read_ledger import read_ledger
from tests.chaos.checker.read_mails import read_mails
from tests.chaos.checker.read_topics import GROUPS, read_positions, read_topics
from tests.chaos.system import System


@dataclass(frozen=True, slots=True)
class Remains:
    """Counted between a death and the next start.

    `uncommitted`: records whose offset was not committed; they come again. `repeated`: those of them that
    the database has already. `published`: events that are in their topic and still wait to leave.
    `claimed`: tasks that a worker has begun. `opened`: orders at the provider that no attempt of ours
    knows. `mailed`: mails that arrived and are not marked as sent.
    """

    uncommitted: int
    repeated: int
    published: int
    claimed: int
    opened: int
    mailed: int

    @property
    def again(self) -> int:
        """How many pieces of work will be done a second time."""
        return self.repeated + self.published + self.claimed + self.mailed


async def autopsy(system: System, service: str) -> Remains:
    uncommitted, repeated = await _records(system, service)
    claimed = await system.value(
        f"SELECT count(*) FROM {service}.tasks WHERE closed_at IS NULL AND lease_until IS NOT NULL"
    )
    return Remains(
        uncommitted=uncommitted,
        repeated=repeated,
        published=await _published(system, service),
        claimed=claimed,
        opened=await _opened(system),
        mailed=await _mailed(system),
    )


async def _records(system: System, service: str) -> tuple[int, int]:
    positions = [p for p in await read_positions(system.bootstrap) if p.group.startswith(f"{service}.")]
    uncommitted = repeated = 0
    for group in (g for g in GROUPS if g.startswith(f"{service}.")):
        start = {(p.topic, p.partition): p.committed for p in positions if p.group == group}
        records = await read_topics(system.bootstrap, [GROUPS[group]], start)
        ids = [record.id for record in records]
        uncommitted += len(ids)
        repeated += await system.value(
            f"SELECT count(*) FROM {service}.inbox WHERE consumer = $1 AND message_id = ANY($2::text[])",
            group,
            ids,
        )
    return uncommitted, repeated


async def _published(system: System, service: str) -> int:
    rows = await system.sql(
        f"SELECT o.message_id, o.topic FROM {service}.outbox_pending JOIN {service}.outbox o USING (position)"
    )
    topics = sorted({row["topic"] for row in rows})
    heard = {record.id for record in await read_topics(system.bootstrap, topics)} if topics else set()
    return sum(row["message_id"] in heard for row in rows)


async def _opened(system: System) -> int:
    known = {row[0] for row in await system.sql("SELECT provider_order_id FROM payments.payment_attempts")}
    ledger = read_ledger(system.data / "simulator" / "ledger.jsonl")
    return sum(order.id not in known for order in ledger.orders)


async def _mailed(system: System) -> int:
    rows = await system.sql("SELECT message_id FROM notifier.mails WHERE state <> 'sent'")
    arrived = {mail.message_id for mail in read_mails(system.data / "mailbox")}
    return sum(row["message_id"] in arrived for row in rows)
