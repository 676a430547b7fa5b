"""Builds a running simulator from its settings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.control import Control
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.gate import Gate
from devstack.simulator.ledger import Ledger
from devstack.simulator.misbehaviour import Misbehaviour
from devstack.simulator.paypal.provider import PayPal
from devstack.simulator.razorpay.provider import Razorpay
from devstack.simulator.settings import Settings
from devstack.simulator.stripe.provider import Stripe


def build(settings: Settings) -> web.Application:
    """The whole application; it opens the ledger at start and serves appointments till it stops."""
    clock = Clock(settings.time_scale)
    ledger = Ledger(settings.data_dir / "ledger.jsonl", clock)
    agenda = Agenda(ledger, clock)
    misbehaviour = Misbehaviour(ledger, clock, settings.seed)
    gate = Gate(ledger, clock, misbehaviour)
    deliveries = Deliveries(ledger, clock, agenda, misbehaviour, settings.seed)
    razorpay = Razorpay(settings.config.razorpay, ledger, clock, agenda, misbehaviour, deliveries, gate)
    providers: dict[str, Razorpay | Stripe | PayPal] = {razorpay.name: razorpay}
    if settings.config.stripe is not None:
        stripe = Stripe(settings.config.stripe, ledger, clock, agenda, deliveries, gate)
        providers[stripe.name] = stripe
    if settings.config.paypal is not None:
        base = f"http://{settings.host}:{settings.port}"
        folder = settings.data_dir / "paypal"
        providers["paypal"] = PayPal(
            settings.config.paypal, base, folder, ledger, clock, agenda, deliveries, gate
        )
    control = Control(ledger, clock, agenda, misbehaviour, deliveries, gate, providers)

    async def running(_app: web.Application) -> AsyncIterator[None]:
        ledger.open()
        gate.recount()
        deliveries.recount()
        for provider in providers.values():
            provider.start()
        await deliveries.start()
        appointments = asyncio.create_task(agenda.run())
        yield
        appointments.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await appointments
        await deliveries.stop()
        ledger.close()

    app = web.Application()
    app.cleanup_ctx.append(running)
    control.add_routes(app)
    for provider in providers.values():
        provider.add_routes(app)
    return app
