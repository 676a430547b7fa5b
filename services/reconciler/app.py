"""Composition of the reconciler: everything is built here, from its settings."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from services.reconciler import handlers
from services.reconciler.api import ReconciliationApi
from services.reconciler.comparing import Comparer, incoming
from services.reconciler.daily import Daily
from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.mismatches import RECHECK
from services.reconciler.domain.runs import TASK
from services.reconciler.domain.steps import Plan
from services.reconciler.providers import Provider
from services.reconciler.recheck import Rechecks
from services.reconciler.settings import ReconcilerSettings
from services.reconciler.store.book import BookState, BookStore
from services.reconciler.store.commands import CommandState, CommandStore
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import WindowStore
from services.reconciler.windows import Windows
from shared.apply import Applier, Decide, Store
from shared.consume import Loop
from shared.envelope import now_utc
from shared.health import Health
from shared.inbox import Incoming
from shared.kafka import PAYMENTS_COMMANDS, PAYMENTS_EVENTS, PRIVACY_COMMANDS, RECONCILER_COMMANDS
from shared.messages.base import Catalogue, Message
from shared.messages.payments import PAYMENT_EVENTS, LedgerCheckpoint
from shared.messages.reconciler import AcceptMismatch, ApproveRepair, RunReconciliation
from shared.pace import FOLLOWING_S, Pace
from shared.privacy.eraser import Eraser
from shared.providers.base import Adapter
from shared.providers.registry import adapters
from shared.service import Kit
from shared.tasks import CALL_MARGIN_S, ClaimedTask, Tasks

S = TypeVar("S")

NAME = "reconciler"
MIGRATIONS = Path(__file__).parent / "migrations"
RUNS_AT_ONCE = 2  # windows; each asks its provider one page at a time
RECHECKS_AT_ONCE = 2  # one call to a provider each


def build(settings: ReconcilerSettings) -> Kit:
    """The whole service, not started yet."""
    kit = Kit(NAME, settings, MIGRATIONS)
    providers = providers_of(settings, adapters(settings.providers))
    accounts = {name: provider.adapter.account for name, provider in providers.items()}
    windows = _applier(kit, f"{NAME}.windows", WindowStore(accounts), handlers.decide_window)
    mismatches = _applier(kit, f"{NAME}.mismatches", MismatchStore(), handlers.decide_mismatch)
    eraser = Eraser(kit)
    kit.uses = (PAYMENTS_EVENTS, PAYMENTS_COMMANDS, PRIVACY_COMMANDS)
    kit.loops = [book_loop(kit, kit.health), command_loop(kit, accounts), eraser.loop]
    scale = settings.time_scale
    comparer = Comparer(kit.engine)
    runs = Windows(
        kit.engine,
        providers,
        comparer,
        mismatches,
        turn_s=(settings.lease_s - CALL_MARGIN_S) / 2,
        retry_s=settings.retry_s / scale,
        checkpoint_s=settings.checkpoint_s / scale,
    )
    kit.tasks = Tasks(
        kit.engine,
        kit.owner,
        {
            TASK: runs,
            RECHECK: Rechecks(kit.engine, providers, comparer, mismatches, scale),
            **eraser.performers,
        },
        eraser.applying(result_applier(windows.apply_result, mismatches.apply_result)),
        {TASK: RUNS_AT_ONCE, RECHECK: RECHECKS_AT_ONCE, **eraser.slots},
        settings.lease_s,
    )
    daily = Daily(
        kit.engine,
        kit.publisher,
        providers,
        tick_s=settings.daily_tick_s / scale,
        settle_s=settings.settle_s / scale,
        days_back=settings.days_back,
    )
    kit.background.append(daily.run)
    kit.stopping += [provider.adapter.close for provider in providers.values()]
    api = ReconciliationApi(kit.engine, settings.api_keys, frozenset(settings.without_settlements))
    kit.apps.append((api, settings.http.host, settings.http.port))
    return kit


def providers_of(settings: ReconcilerSettings, found: dict[str, Adapter]) -> dict[str, Provider]:
    """Each adapter with how its books are read."""
    scale = settings.time_scale
    return {
        name: Provider(
            adapter=adapter,
            plan=Plan(
                settles=name not in settings.without_settlements,
                due_s=settings.settlement_due_s / scale,
                overlap_s=settings.overlap_s,
            ),
            lag_s=settings.lags_s.get(name, 0.0) / scale,
            zone=settings.zones.get(name, "UTC"),
            patience_s=settings.patience_s / scale,
        )
        for name, adapter in found.items()
    }


def book_loop(kit: Kit, health: Health) -> Loop[BookState]:
    """The projection of `payments.events`; also what a rebuild reads the topic with."""
    applier = _applier(kit, f"{NAME}.{PAYMENTS_EVENTS.name}", BookStore(), handlers.decide_book)
    events = Catalogue(*PAYMENT_EVENTS, LedgerCheckpoint)
    return Loop(PAYMENTS_EVENTS, applier, events, health, pace=Pace(FOLLOWING_S))


def command_loop(kit: Kit, accounts: dict[str, str]) -> Loop[CommandState]:
    """Requests for runs, and what people say about mismatches."""
    applier = command_applier(kit, accounts)
    catalogue = Catalogue(RunReconciliation, AcceptMismatch, ApproveRepair)
    return Loop(RECONCILER_COMMANDS, applier, catalogue, kit.health, commands=True)


def command_applier(kit: Kit, accounts: dict[str, str]) -> Applier[CommandState]:
    consumer = f"{NAME}.{RECONCILER_COMMANDS.name}"
    return _applier(kit, consumer, CommandStore(accounts), handlers.decide_command)


def result_applier(
    of_windows: Callable[[Incoming], Awaitable[None]], of_mismatches: Callable[[Incoming], Awaitable[None]]
) -> Callable[[ClaimedTask, Message], Awaitable[None]]:
    """What the task runner calls with a task's result."""

    async def apply(task: ClaimedTask, message: Message) -> None:
        told = of_windows if isinstance(message, WindowCompared) else of_mismatches
        await told(incoming(message, task.subject, task.id))

    return apply


def _applier(kit: Kit, consumer: str, store: Store[S], decide: Decide[S]) -> Applier[S]:
    return Applier(
        consumer=consumer,
        source=NAME,
        engine=kit.engine,
        store=store,
        decide=decide,
        clock=now_utc,
        committed=kit.wake,
        reply=lambda _: None,  # nothing here is asked over payments.replies
        publishes_here=lambda: kit.relay.leads,
    )
