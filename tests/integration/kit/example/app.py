"""Builds the example service from its settings."""

from collections.abc import Sequence
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from shared.apply import Applier
from shared.consume import Loop
from shared.decision import Answer, Task
from shared.envelope import encode, new_id, now_utc
from shared.inbox import Incoming
from shared.messages.base import Catalogue, Message, wrap
from shared.service import Kit
from shared.settings import ServiceSettings
from shared.tasks import ClaimedTask, Tasks
from tests.integration.kit.example import messages as m
from tests.integration.kit.example.bank import Bank, performers
from tests.integration.kit.example.domain import Account, decide
from tests.integration.kit.example.store import AccountStore, Seen, SeenStore, project


class ExampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    book: str  # the bank's ledger file
    bank_delay_s: float = 0.0
    lease_s: float = 8.0  # of tasks: a call may take 3 s


COMMANDS = Catalogue(m.Deposit, m.Withdraw, m.PayOut, m.Link, m.Break)


def build(settings: ExampleSettings) -> Kit:
    kit = Kit("example", settings, Path(__file__).parent / "migrations")
    accounts = AccountStore()

    def reply(answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.correlation_id is not None:
                message = m.Reply(code=answer.code, answer=answer.answer.decode())
                envelope = wrap(message, source="example", subject=answer.correlation_id, time=now_utc())
                key = answer.correlation_id.encode()
                kit.publisher.post(m.REPLIES, m.REPLIES.partition_of(key), key, encode(envelope))

    def unmatched(incoming: Incoming) -> Task | None:
        return Task("match", f"match-{incoming.id}", incoming.id, encode(incoming.envelope), delay_s=0.1)

    def applier(consumer: str) -> Applier[Account]:
        return Applier(
            consumer=consumer,
            source="example",
            engine=kit.engine,
            store=accounts,
            decide=decide,
            clock=now_utc,
            committed=kit.wake,
            reply=reply,
            publishes_here=lambda: kit.relay.leads,
            unmatched=unmatched,
        )

    results = applier("example.results")

    async def apply(task: ClaimedTask, message: Message) -> None:
        envelope = wrap(message, source="example", subject=task.subject, time=now_utc())
        await results.apply_result(Incoming(new_id(), envelope, message, b"", task_id=task.id))

    projection = Applier(
        consumer="example.example.events",
        source="example",
        engine=kit.engine,
        store=SeenStore(),
        decide=project,
        clock=now_utc,
        committed=kit.wake,
        reply=reply,
    )
    facts = Catalogue(m.FactSeen)
    seen: Loop[Seen] = Loop(m.EVENTS, projection, Catalogue(m.Changed), kit.health)
    kit.loops = [
        Loop(m.COMMANDS, applier("example.example.commands"), COMMANDS, kit.health, commands=True),
        Loop(m.FACTS, applier("example.example.facts"), facts, kit.health, keyed=False),
        seen,
    ]
    bank = Bank(Path(settings.book), settings.bank_delay_s)
    table = performers(bank, kit.engine, lambda s: s / settings.time_scale)
    kit.tasks = Tasks(kit.engine, kit.owner, table, apply, {"pay_out": 8, "match": 4}, settings.lease_s)
    return kit
