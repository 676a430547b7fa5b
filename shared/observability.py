"""Logs as data without secrets, metrics, and the small internal listener that shows health and metrics."""

import logging
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from shared.health import Health
from shared.settings import LogSettings

MESSAGES = Counter("paystream_messages", "Messages by consumer and outcome", ["consumer", "outcome"])
PARKED = Counter("paystream_parked", "Messages parked for a person", ["consumer"])
SECURITY = Counter("paystream_security_alarms", "Ids used again with another body", ["consumer"])
LOST = Counter("paystream_records_lost", "Records deleted by retention before they were read", ["consumer"])
LAG = Gauge("paystream_lag", "Records that wait to be consumed", ["consumer"])
PUBLISHED = Counter("paystream_published", "Outbox rows acknowledged by Kafka")
TASKS = Counter("paystream_tasks", "Tasks by kind and result", ["kind", "result"])
TASK_SECONDS = Histogram("paystream_task_seconds", "How long a task's call took", ["kind"])
WEBHOOKS = Counter("paystream_webhooks", "Webhooks by provider and verdict", ["provider", "verdict"])
READY = Gauge("paystream_ready", "1 while the service is ready")

_HIDDEN = "[hidden]"
_SECRET_WORDS = (
    "secret", "password", "token", "authorization", "signature", "api_key", "email", "customer", "body",
    "answer", "card", "vpa", "headers", "phone", "contact", "recipient", "billing",
)  # fmt: skip
# In free text too: what a library or a server says about an address repeats it.
_MAIL_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def redacted(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides the values of fields that may hold secrets or personal data, at any depth."""
    for key, value in event.items():
        event[key] = _without_secrets(key, value)
    return event


def _without_secrets(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in _SECRET_WORDS):
        return _HIDDEN
    if isinstance(value, dict):
        return {k: _without_secrets(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets("", v) for v in value]
    return _MAIL_ADDRESS.sub(_HIDDEN, value) if isinstance(value, str) else value


def configure_logs(settings: LogSettings, service: str) -> None:
    """One line per event on standard error; CR and LF inside values are escaped by the renderers."""
    level = logging.getLevelNamesMapping()[settings.level]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(
            serializer=lambda v, **_: msgspec.json.encode(v, enc_hook=repr).decode()
        )
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redacted,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    # What these report as errors they mend themselves, or our own loops and health say it once.
    for noisy in ("aiokafka.consumer.group_coordinator", "aiokafka.cluster", "aiokafka.conn"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.getLogger("faststream").setLevel(logging.ERROR)


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class OpsApp:
    """`/health/live`, `/health/ready` and `/metrics`, for the internal listener only."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        status, kind, body = self._answer(scope["path"])
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", kind), (b"cache-control", b"no-store")],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, bytes, bytes]:
        json = b"application/json"
        if path == "/health/live":
            stuck = self._health.stuck
            return 503 if stuck else 200, json, msgspec.json.encode({"stuck": stuck})
        if path == "/health/ready":
            problems = self._health.problems | self._health.stuck
            return 503 if problems else 200, json, msgspec.json.encode({"problems": problems})
        if path == "/metrics":
            READY.set(1 if self._health.ready else 0)
            return 200, CONTENT_TYPE_LATEST.encode(), generate_latest()
        return 404, json, b"{}"
