"""Builds the payments service from its settings."""

from collections.abc import Sequence
from pathlib import Path

from services.payments.breaker import Breakers
from services.payments.checkpoints import Checkpoints
from services.payments.domain.state import Payment, Policy, ProviderPolicy
from services.payments.erasure import Erasure
from services.payments.handlers import (
    COMMAND_CATALOGUE,
    MATCH_AFTER_S,
    ORDER_CATALOGUE,
    WEBHOOK_CATALOGUE,
    Handlers,
)
from services.payments.personal import MARK, addresses, places
from services.payments.replies import Replies
from services.payments.rounds import Rounds
from services.payments.settings import PaymentsSettings
from services.payments.store import PaymentStore, order_of_reference
from services.payments.tasks import SLOTS, Performers
from services.payments.webhooks import Webhooks
from shared.apply import Applier
from shared.consume import Loop
from shared.envelope import decode, now_utc
from shared.inbox import Incoming
from shared.kafka import ORDERS_EVENTS, PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS, Topic
from shared.messages.base import Catalogue, Message, wrap
from shared.messages.facts import Rematch
from shared.privacy.eraser import Eraser
from shared.providers.base import Adapter
from shared.providers.registry import adapters
from shared.service import Kit
from shared.tasks import ClaimedTask, Tasks

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: PaymentsSettings) -> Kit:
    """The service, ready to run."""
    kit = Kit("payments", settings, MIGRATIONS)
    providers = adapters(settings.providers)
    webhooks = Webhooks(providers)
    scale = settings.time_scale
    breakers = Breakers(settings.breaker.failures, settings.breaker.open_s / scale)
    handlers = Handlers(
        policy(settings, providers), webhooks, tuple(s / scale for s in MATCH_AFTER_S), breakers.unhealthy
    )
    replies = Replies(kit.publisher)
    store = PaymentStore(webhooks)
    eraser = Eraser(kit, places(webhooks), MARK, addresses)

    def applier(topic: Topic) -> Applier[Payment]:
        return Applier(
            consumer=f"payments.{topic.name}",
            source="payments",
            engine=kit.engine,
            store=store,
            decide=handlers.decide,
            clock=now_utc,
            committed=kit.wake,
            reply=replies.send,
            publishes_here=lambda: kit.relay.leads,
            archive=webhooks.archive,
            repeated=webhooks.repeated,
            unmatched=handlers.unmatched,
            screen=eraser.screen,
        )

    def loop(
        topic: Topic, catalogue: Catalogue, *, keyed: bool, commands: bool, lane: int = 0
    ) -> Loop[Payment]:
        return Loop(topic, applier(topic), catalogue, kit.health, keyed=keyed, commands=commands, lane=lane)

    kit.loops = [
        loop(PAYMENTS_COMMANDS, COMMAND_CATALOGUE, keyed=True, commands=True),
        *(
            loop(PAYMENTS_WEBHOOKS, WEBHOOK_CATALOGUE, keyed=False, commands=False, lane=lane)
            for lane in range(settings.webhook_lanes)
        ),
        loop(ORDERS_EVENTS, ORDER_CATALOGUE, keyed=True, commands=False),
        eraser.loop,
    ]
    results = applier(PAYMENTS_COMMANDS)

    async def apply(task: ClaimedTask, message: Message) -> None:
        await results.apply_result(_result(task, message))

    async def owner(provider: str, account: str, reference: str) -> str | None:
        async with kit.engine.connect() as connection:
            return await order_of_reference(connection, provider, account, reference)

    performers = Performers(providers, owner, scale, breakers)
    kit.tasks = Tasks(
        kit.engine,
        kit.owner,
        performers.table() | eraser.performers,
        eraser.applying(apply),
        SLOTS | eraser.slots,
        settings.lease_s,
    )
    old = Erasure(eraser.engine, webhooks, settings.raw_days) if eraser.engine else None
    kit.background += [
        Checkpoints(kit.engine, kit.publisher, kit.lease, settings.checkpoint_every_s / scale).run,
        Rounds(kit.engine, kit.lease, webhooks.heard, old).run,
    ]
    kit.stopping += [a.close for a in providers.values()]
    return kit


def policy(settings: PaymentsSettings, providers: dict[str, Adapter]) -> Policy:
    """The rules' numbers, with the time scale applied."""
    scale = settings.time_scale

    def scaled(seconds: Sequence[float]) -> tuple[float, ...]:
        return tuple(s / scale for s in seconds)

    return Policy(
        providers={
            name: ProviderPolicy(
                name=name,
                account=adapter.account,
                check_amount=adapter.check_amount,
                check_refund=adapter.check_refund,
                attempt_lifetime_s=adapter.schedule.attempt_lifetime_s / scale,
                look_while_open_s=scaled(adapter.schedule.while_open_s),
                look_after_verify_s=adapter.schedule.after_verify_s[-1] / scale,
                look_after_close_s=scaled(adapter.schedule.after_close_s),
                manual_capture=adapter.capabilities.manual_capture,
                partial_capture=adapter.capabilities.partial_capture,
                void=adapter.capabilities.void,
                cancel_open=adapter.capabilities.cancel_open,
                capture_on_approval=adapter.capabilities.capture_on_approval,
            )
            for name, adapter in providers.items()
        },
        payment_window_s=settings.payment_window_s / scale,
        capture_grace_s=settings.capture_grace_s / scale,
        order_by_currency=settings.providers.order_by_currency,
        refunds_surplus=settings.refunds_surplus,
        refund_max=settings.refund_max,
        reopens_late=settings.late_success == "reopen",
        lapse_warning_s=settings.lapse_warning_s / scale,
    )


def _result(task: ClaimedTask, message: Message) -> Incoming:
    """A task's result on its way to the rules; a webhook that comes back keeps its own envelope.

    What follows has a cause of its own that begins with the task's key: a payment's story can say why.
    """
    if isinstance(message, Rematch):
        envelope = decode(message.envelope)
        webhook = WEBHOOK_CATALOGUE.decode(envelope)
        return Incoming(envelope.id, envelope, webhook, b"", task_id=task.id, tries=message.tries)
    subject = str(getattr(message, "order_id", task.subject))
    envelope = wrap(message, source="payments.tasks", subject=subject, time=now_utc(), causationid=task.key)
    return Incoming(f"{task.key} {envelope.id}", envelope, message, b"", task_id=task.id)
