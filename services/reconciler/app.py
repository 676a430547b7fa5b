"""Composition of the reconciler: everything is built here, from its settings."""

from pathlib import Path
from typing import TypeVar

from services.reconciler import handlers
from services.reconciler.api import ReconciliationApi
from services.reconciler.daily import Daily
from services.reconciler.domain.runs import TASK
from services.reconciler.provider_day import ProviderDays, result_applier
from services.reconciler.settings import ReconcilerSettings
from services.reconciler.store.book import BookState, BookStore
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import DayStore
from shared.apply import Applier, Decide, Store
from shared.consume import Loop
from shared.envelope import now_utc
from shared.health import Health
from shared.kafka import PAYMENTS_COMMANDS, PAYMENTS_EVENTS, RECONCILER_COMMANDS
from shared.messages.base import Catalogue
from shared.messages.payments import PAYMENT_EVENTS, LedgerCheckpoint
from shared.messages.reconciler import RunReconciliation
from shared.pace import FOLLOWING_S, Pace
from shared.providers.registry import adapters
from shared.service import Kit
from shared.tasks import CALL_MARGIN_S, Tasks

S = TypeVar("S")

NAME = "reconciler"
MIGRATIONS = Path(__file__).parent / "migrations"
RUNS_AT_ONCE = 2  # days; each asks its provider one page at a time


def build(settings: ReconcilerSettings) -> Kit:
    """The whole service, not started yet."""
    kit = Kit(NAME, settings, MIGRATIONS)
    providers = adapters(settings.providers)
    accounts = {name: adapter.account for name, adapter in providers.items()}
    days = _applier(kit, f"{NAME}.{RECONCILER_COMMANDS.name}", DayStore(accounts), handlers.decide_day)
    mismatches = _applier(kit, f"{NAME}.mismatches", MismatchStore(), handlers.decide_mismatch)
    kit.uses = (PAYMENTS_EVENTS, PAYMENTS_COMMANDS)
    kit.loops = [
        book_loop(kit, kit.health),
        Loop(RECONCILER_COMMANDS, days, Catalogue(RunReconciliation), kit.health, commands=True),
    ]
    scale = settings.time_scale
    performer = ProviderDays(
        kit.engine,
        providers,
        mismatches,
        turn_s=(settings.lease_s - CALL_MARGIN_S) / 2,
        retry_s=settings.retry_s / scale,
        checkpoint_s=settings.checkpoint_s / scale,
    )
    kit.tasks = Tasks(
        kit.engine,
        kit.owner,
        {TASK: performer},
        result_applier(days.apply_result),
        {TASK: RUNS_AT_ONCE},
        settings.lease_s,
    )
    daily = Daily(
        kit.engine,
        kit.publisher,
        accounts,
        tick_s=settings.daily_tick_s / scale,
        settle_s=settings.settle_s / scale,
        days_back=settings.days_back,
    )
    kit.background.append(daily.run)
    kit.stopping += [adapter.close for adapter in providers.values()]
    kit.apps.append(
        (ReconciliationApi(kit.engine, settings.api_keys), settings.http.host, settings.http.port)
    )
    return kit


def book_loop(kit: Kit, health: Health) -> Loop[BookState]:
    """The projection of `payments.events`; also what a rebuild reads the topic with."""
    applier = _applier(kit, f"{NAME}.{PAYMENTS_EVENTS.name}", BookStore(), handlers.decide_book)
    events = Catalogue(*PAYMENT_EVENTS, LedgerCheckpoint)
    return Loop(PAYMENTS_EVENTS, applier, events, health, pace=Pace(FOLLOWING_S))


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
