"""What a run needs to know of each provider besides its adapter."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from services.reconciler.domain.items import Item, Theirs
from services.reconciler.domain.settling import Terms
from services.reconciler.domain.steps import Leg, Plan
from services.reconciler.store.records import Fact, theirs_of
from shared.envelope import now_utc
from shared.errors import NotFound, Unavailable
from shared.messages.facts import SettlementLine
from shared.providers.base import Adapter


@runtime_checkable
class Reporting(Protocol):
    """An adapter whose lists come from a report that is written some time later (PayPal)."""

    @property
    def reported_until(self) -> datetime | None:
        """Up to when the report that was read last is complete."""
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider account. `lag_s`: its lists are asked for this much later; `zone`: of its settlements."""

    adapter: Adapter
    plan: Plan
    lag_s: float
    zone: str
    patience_s: float

    def terms(self, read: tuple[datetime, datetime] | None) -> Terms:
        """`read`: what is read of the settlement lines."""
        since, until = read or (None, None)
        return Terms(
            settles=self.plan.settles,
            due_s=self.plan.due_s,
            settled_since=since,
            settled_until=until,
            judged_at=now_utc(),
            patience_s=self.patience_s,
        )

    def listing(self, leg: Leg, since: datetime, until: datetime) -> AsyncIterator[Fact | SettlementLine]:
        match leg:
            case "charges":
                return self.adapter.list_charges(since, until)
            case "refunds":
                return self.adapter.list_refunds(since, until)
            case "disputes":
                return self.adapter.list_disputes(since, until)
        return self.adapter.list_settlement_lines(since, until)

    def check_reported(self, until: datetime) -> None:
        """Raises Unavailable while the provider's own report is not complete up to there."""
        reported = self.adapter.reported_until if isinstance(self.adapter, Reporting) else None
        if reported is not None and reported < until:
            raise Unavailable("report-late", f"the provider's report goes to {reported} only", 60.0)

    async def record(self, item: Item) -> Theirs | None:
        """The provider's own record of this one thing, asked for by id; None when it says there is none."""
        if item.object == "charge":
            try:
                return theirs_of(await self.adapter.read_charge(item.id), {})
            except NotFound:
                return None
        if item.object == "dispute":
            return await self._dispute(item)
        order = (
            item.ours.provider_order_id if item.ours else item.theirs.provider_order_id if item.theirs else ""
        )
        if not order:
            return item.theirs  # nothing to ask by: the list's word stands
        try:
            seen = await self.adapter.read(order)
        except NotFound:
            return None
        named = {item.id: item.id}  # a refund that we have no id of the provider's for is found by ours
        found = (theirs_of(r, named) for r in seen.refunds if item.id in (r.refund_id, r.reference))
        return next(found, None)

    async def _dispute(self, item: Item) -> Theirs | None:
        """What stands for itself, for want of a dispute that is known, has no name to ask by."""
        if item.ours is None and item.theirs is None:
            return None
        try:
            return theirs_of(await self.adapter.read_dispute(item.id), {})
        except NotFound:
            return None
