"""The composition root: everything the gateway is made of, from its settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import structlog
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from services.gateway import captures, catchup, checkout, orders, refunds, status
from services.gateway.access import CheckoutTokens, Credentials, Door
from services.gateway.commands import Commands, Unanswered
from services.gateway.edge import Edge
from services.gateway.intake import Intake
from services.gateway.limits import Limits
from services.gateway.live import Live
from services.gateway.offer import Offer
from services.gateway.openapi import schema_route
from services.gateway.problems import headers_of, problem
from services.gateway.projection import CHANNEL, projection_loop
from services.gateway.reading import Payments
from services.gateway.replies import Replies
from services.gateway.settings import GatewaySettings
from services.gateway.views import Repeat
from services.gateway.webhooks import Webhooks
from shared.errors import PaystreamError
from shared.http_server import AsgiApp
from shared.kafka import (
    PAYMENTS_COMMANDS,
    PAYMENTS_EVENTS,
    PAYMENTS_REPLIES,
    PAYMENTS_WEBHOOKS,
    PRIVACY_COMMANDS,
)
from shared.messages.base import Message
from shared.privacy.eraser import Eraser
from shared.providers.registry import adapters
from shared.service import Kit
from shared.tasks import ClaimedTask, Tasks

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"

ROUTES = [
    orders.place_order,
    orders.cancel_order,
    checkout.options,
    checkout.create_order,
    checkout.verify,
    checkout.return_razorpay,
    captures.capture,
    refunds.refund,
    refunds.read_refund,
    status.status,
    status.events,
    catchup.changes,
]


def build(settings: GatewaySettings) -> Kit:
    """The gateway's process."""
    kit = Kit("gateway", settings, MIGRATIONS)
    kit.uses = (PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS, PAYMENTS_REPLIES, PAYMENTS_EVENTS, PRIVACY_COMMANDS)
    providers = adapters(settings.providers)
    intake = Intake(kit.publisher, settings.accept_limit_s)
    replies = Replies(settings.kafka, kit.health, settings.waiting_max)
    payments = Payments(kit.engine)
    live = Live(kit.health, settings.streams_max)
    limits = Limits(kit.engine, settings.limits)
    tokens = CheckoutTokens(settings.checkout)
    parts = {
        "commands": Commands(intake, replies, settings.command_limit_s),
        "live": live,
        "offer": Offer(
            providers, settings.providers, settings.shop.name, settings.public_base, settings.shop.return_url
        ),
        "payments": payments,
        "shop": settings.shop,
        "tokens": tokens,
    }
    door = Door(Credentials(tokens, settings.api_keys), limits, settings.trusted_proxies)
    edge = Edge(
        cast("AsgiApp", api(door, parts)),
        Webhooks(providers, intake),
        settings.allowed_hosts,
        settings.cors_origins,
    )
    eraser = Eraser(kit)
    kit.loops += [projection_loop(kit), eraser.loop]
    kit.tasks = Tasks(kit.engine, kit.owner, eraser.performers, eraser.applying(_no_other), eraser.slots)
    kit.channels[CHANNEL] = live.woken
    kit.started += [payments.repair_after_restore, replies.start]
    kit.background += [
        replies.run,
        limits.clean,
        live.watch_for_stop,
        lambda: intake.watch(kit.health),
    ]
    kit.stopping += [a.close for a in providers.values()]
    kit.apps.append((edge, settings.http.host, settings.http.port))
    return kit


async def _no_other(task: ClaimedTask, message: Message) -> None:
    raise TypeError(f"the gateway has no tasks of its own: {task.kind}, {type(message).__name__}")


def api(door: Door, parts: Mapping[str, Any]) -> Litestar:
    """Every route behind the one guard, every error in the one form."""
    return Litestar(
        [*ROUTES, schema_route(ROUTES)],
        guards=[door],
        dependencies={name: Provide(_always(part), use_cache=True) for name, part in parts.items()},
        exception_handlers={Exception: _answer_error},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _always(part: Any) -> Any:
    async def provide() -> Any:
        return part

    return provide


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if isinstance(error, Unanswered):
        waiting = Repeat(order_id=error.order_id)
        return Response(waiting, status_code=202, headers={"retry-after": str(waiting.retry_after_s)})
    known = _known(error)
    answer = problem(known)
    if answer.status >= 500 and answer.code == "internal":
        log.error("a request failed", path=request.scope["path"], exc_info=error)
    headers = {name.decode(): value.decode() for name, value in headers_of(answer)}
    if isinstance(error, MethodNotAllowedException):
        headers |= {n.lower(): v for n, v in (error.headers or {}).items()}
    return Response(
        answer, status_code=answer.status, headers=headers, media_type=headers.pop("content-type")
    )


def _known(error: Exception) -> PaystreamError:
    """The one of our errors that an exception of the framework means."""
    match error:
        case PaystreamError():
            return error
        case NotFoundException():
            return PaystreamError("not-found")
        case MethodNotAllowedException():
            return PaystreamError("method-not-allowed")
        case ValidationException():  # bodies are decoded by us, so only a missing one gets here
            return PaystreamError("empty-body", "send a JSON object")
        case HTTPException(status_code=code) if 400 <= code < 500:
            return PaystreamError("bad-request")
    return PaystreamError("internal")
