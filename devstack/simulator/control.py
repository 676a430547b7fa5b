"""The dashboard, and the calls below /_sim: health, ledger, faults, webhooks sent again."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from aiohttp import web

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.faults import FaultSpec
from devstack.simulator.gate import Gate
from devstack.simulator.ledger import Ledger
from devstack.simulator.misbehaviour import Misbehaviour
from devstack.simulator.pages import page

_STATIC = Path(__file__).with_name("static")
_PAYPAL = Path(__file__).with_name("paypal") / "static" / "dashboard.js"


class Behind(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How far the providers' clock is behind real time."""

    behind_s: Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)]


class Provider(Protocol):
    """What a provider shows of its books."""

    def ledger_view(self) -> dict[str, list[object]]: ...
    def totals(self) -> dict[str, object]: ...


class Control:
    """The operator's and the tests' side; nothing here exists at a real provider."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
        misbehaviour: Misbehaviour,
        deliveries: Deliveries,
        gate: Gate,
        providers: Mapping[str, Provider],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._agenda = agenda
        self._misbehaviour = misbehaviour
        self._deliveries = deliveries
        self._gate = gate
        self._providers = providers

    def add_routes(self, app: web.Application) -> None:
        app.router.add_routes(
            [
                web.get("/", page(_STATIC / "dashboard.html")),
                *(web.get(f"/static/{file.name}", page(file)) for file in sorted(_STATIC.glob("*.*s"))),
                web.get("/static/paypal.js", page(_PAYPAL)),
                web.get("/_sim/health", self.health),
                web.put("/_sim/clock", self.set_clock),
                web.get("/_sim/ledger", self.ledger),
                web.get("/_sim/faults", self.faults),
                web.put("/_sim/faults", self.set_faults),
                web.delete("/_sim/faults", self.clear_faults),
                web.get("/_sim/faults/log", self.bites),
                web.post("/_sim/webhooks/{webhook_id}/resend", self.resend),
                web.post("/_sim/endpoints/{provider}/enable", self.enable),
            ]
        )

    async def health(self, _request: web.Request) -> web.Response:
        clock = {"time_scale": self._clock.scale, "behind_s": self._clock.behind_s}
        return reply({"status": "ok", "seq": self._ledger.seq, **clock})

    async def set_clock(self, request: web.Request) -> web.Response:
        """Before anything has happened to any time of the past; from then on only forward."""
        try:
            behind_s = msgspec.json.decode(await request.read(), type=Behind).behind_s
        except msgspec.DecodeError as error:
            return reply({"error": str(error)}, status=400)
        if behind_s > self._clock.behind_s and self._ledger.seq:
            problem = f"the clock is {self._clock.behind_s:g} s behind and, once something has happened, only"
            return reply({"error": f"{problem} moves forward"}, status=400)
        self._clock.behind_s = behind_s
        self._agenda.clock_moved()
        return reply({"behind_s": behind_s, "now": self._clock.now()})

    async def ledger(self, request: web.Request) -> web.Response:
        """Everything, oldest first; `?limit=` keeps only the newest of each kind."""
        limit = int(request.query.get("limit", "0"))
        view: dict[str, object] = {"seq": self._ledger.seq, "now": self._clock.now()}
        totals: dict[str, object] = {"webhooks": Counter(d.state for d in self._deliveries.deliveries)}
        for name, provider in self._providers.items():
            totals[name] = provider.totals()
            view[name] = {kind: rows[-limit:] for kind, rows in provider.ledger_view().items()}
        view["calls"] = list(self._gate.calls)[-limit:]
        view["webhooks"] = self._webhooks()[-limit:]
        view["totals"] = totals
        view["endpoints"] = list(self._deliveries.endpoints)
        view["faults"] = list(self._misbehaviour.bites)[-limit:]
        return reply(view)

    def _webhooks(self) -> list[object]:
        """Each webhook with how its delivery went."""
        views: list[object] = []
        for webhook in self._deliveries.webhooks:
            delivery = msgspec.to_builtins(self._deliveries.deliveries[webhook.id])
            views.append({**msgspec.to_builtins(webhook), **delivery})
        return views

    async def faults(self, _request: web.Request) -> web.Response:
        return reply(self._misbehaviour.spec)

    async def set_faults(self, request: web.Request) -> web.Response:
        try:
            spec = msgspec.json.decode(await request.read(), type=FaultSpec)
        except msgspec.DecodeError as error:
            return reply({"error": str(error)}, status=400)
        self._misbehaviour.set(spec)
        await self._ledger.durable()
        return reply(spec)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._misbehaviour.clear()
        await self._ledger.durable()
        return reply(self._misbehaviour.spec)

    async def bites(self, _request: web.Request) -> web.Response:
        return reply({"faults": list(self._misbehaviour.bites)})

    async def resend(self, request: web.Request) -> web.Response:
        webhook_id = request.match_info["webhook_id"]
        if self._deliveries.deliveries.get(webhook_id) is None:
            return reply({"error": "no such webhook"}, status=404)
        self._deliveries.resend(webhook_id)
        await self._ledger.durable()
        return reply({"id": webhook_id, "state": "pending"})

    async def enable(self, request: web.Request) -> web.Response:
        self._deliveries.enable(request.match_info["provider"])
        await self._ledger.durable()
        return reply({"provider": request.match_info["provider"], "disabled_at": None})


def reply(view: object, *, status: int = 200) -> web.Response:
    """Any value as JSON."""
    return web.Response(status=status, body=msgspec.json.encode(view), content_type="application/json")
