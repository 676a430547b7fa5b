"""Writes the pages that come from the code: states, messages, settings, AsyncAPI with JSON Schemas.

`python -m docs.generate` writes them; a unit test compares, so that they cannot drift.
"""

import re
import types
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Union, get_args, get_origin

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from services.gateway.settings import GatewaySettings
from services.notifier.settings import NotifierSettings
from services.payments.domain.state import CHARGE_RANK, DISPUTE_RANK, REFUND_RANK
from services.payments.domain.status import CROSSING, TRANSITIONS
from services.payments.settings import PaymentsSettings
from services.reconciler.settings import ReconcilerSettings
from shared.kafka import PAYMENTS_REPLIES, PAYMENTS_WEBHOOKS, TOPICS, Topic
from shared.messages import notifier, orders, payments, privacy, reconciler
from shared.messages.base import Command, Event, Message

HERE = Path(__file__).parent
MODULES = (orders, payments, notifier, reconciler, privacy)
OWNERS = ("shop", "gateway", "payments", "notifier", "reconciler")


def published() -> list[type[Message]]:
    """Every message class that travels over Kafka, by type."""
    found = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and "TYPE" in vars(value)
    }
    return sorted(found, key=lambda c: c.TYPE)


def _topics() -> list[Topic]:
    """The topics of this system, without those that a test's own service adds."""
    return [topic for topic in TOPICS.values() if topic.owner in OWNERS]


def states() -> str:
    """The transition table as a page."""
    lines = [
        "# Statuses of a payment",
        "",
        "Generated from `services/payments/domain/status.py` by `python -m docs.generate`. The",
        "database's CHECK and the property tests come from the same table.",
        "",
        "| from | to | when |",
        "|---|---|---|",
        *(f"| `{t.source}` | `{t.target}` | {t.cause} |" for t in TRANSITIONS),
        "",
        "`failed` may be tried again until the order closes; `paid → failed` does not exist.",
        "",
        "A charge's state only rises, whatever the order in which facts arrive: "
        + " < ".join(f"`{s}`" for s in sorted(CHARGE_RANK, key=lambda s: CHARGE_RANK[s]))
        + ".",
        "",
        "A refund's state only rises too: "
        + " < ".join(f"`{s}`" for s in sorted(REFUND_RANK, key=lambda s: REFUND_RANK[s]))
        + "; and a dispute's: "
        + " < ".join(f"`{s}`" for s in sorted(DISPUTE_RANK, key=lambda s: DISPUTE_RANK[s]))
        + ".",
        "",
        "Only a refund of a capture is counted and announced: providers let an authorisation go in the form",
        "of a refund too, and that moves no money of ours.",
        "",
        "Between two of our own decisions, any order and number of provider facts ends in the same money,",
        "status, provider writes and announcements. Moving a fact across a decision matters only here:",
        "",
        "| decision × fact | ends |",
        "|---|---|",
        *(f"| {a} × {b} | {ends} |" for (a, b), ends in CROSSING.items()),
    ]
    return "\n".join(lines) + "\n"


def messages() -> str:
    """The topics and the messages on them as a page."""
    lines = [
        "# Topics and messages",
        "",
        "Generated from `shared/kafka.py` and `shared/messages/` by `python -m docs.generate`. Every message",
        "is a CloudEvents 1.0 envelope in JSON; one golden example of each is in",
        "`tests/contract/messages/golden/`, its JSON Schema in [asyncapi.json](asyncapi.json).",
        "Unknown fields are ignored, unknown events skipped and counted, unknown commands parked.",
        "",
        "| topic | owner | partitions | kept |",
        "|---|---|---|---|",
        *(f"| `{t.name}` | {t.owner} | {t.partitions} | {_kept(t.config)} |" for t in _topics()),
    ]
    for message in published():
        kind = (
            "command" if issubclass(message, Command) else "reply" if message is payments.Reply else "event"
        )
        summary = " ".join(cleandoc(message.__doc__ or "").split())
        lines += ["", f"## `{message.TYPE}` ({kind})", "", summary, "", "| field | type |", "|---|---|"]
        fields = msgspec.structs.fields(message)
        lines += [
            f"| `{f.encode_name}` | {_type(f.type)}{'' if f.required else ', optional'} |" for f in fields
        ]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every setting of every service as a page."""
    lines = [
        "# Settings",
        "",
        "Generated from the settings classes by `python -m docs.generate`; the reason for a number stands",
        "beside it in the class. Values come from the environment. Lists and objects are written as JSON.",
        "Durations end in `_S` and are seconds. A setting without a default must be given; a wrong one is",
        "named at start.",
    ]
    for service in (GatewaySettings, PaymentsSettings, NotifierSettings, ReconcilerSettings):
        prefix = service.model_config.get("env_prefix") or ""
        lines += ["", f"## {prefix.strip('_').lower()}", "", "| setting | type | default |", "|---|---|---|"]
        lines += [f"| `{name}` | {kind} | {default} |" for name, kind, default in _settings(service, prefix)]
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is not None:
            yield from _settings(section, f"{prefix}{name.upper()}__")
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = {"": "none", "None": "none", str(PydanticUndefined): ""}.get(str(default), f"`{default}`")
        yield f"{prefix}{name.upper()}", _type(field.annotation), shown


def _section(annotation: object) -> type[BaseModel] | None:
    """The nested settings class in an annotation, also when it may be left out."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def asyncapi() -> str:
    """The topics as an AsyncAPI 3.0 document with the JSON Schema of every message's data."""
    classes = [c for c in published() if c is not payments.Reply]  # replies are between our own services
    _, schemas = msgspec.json.schema_components(classes, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        if "description" in schema:  # Python 3.13 takes the indentation off by itself, 3.11 does not
            schema["description"] = cleandoc(schema["description"])
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paystream",
            "version": "1",
            "description": "CloudEvents 1.0 in structured JSON; `payload` is the envelope's `data`.",
        },
        "channels": {
            topic.name: {
                "address": topic.name,
                "messages": {
                    c.TYPE: {"$ref": f"#/components/messages/{c.TYPE}"} for c in _on(topic.name, classes)
                },
            }
            for topic in _topics()
            if topic is not PAYMENTS_REPLIES
        },
        "components": {
            "messages": {
                c.TYPE: {"name": c.TYPE, "payload": {"$ref": f"#/components/schemas/{c.__name__}"}}
                for c in classes
            },
            "schemas": schemas,
        },
    }
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2).decode() + "\n"


def _on(topic: str, classes: list[type[Message]]) -> list[type[Message]]:
    """The messages of a topic: its owner's commands, its owner's events, or webhooks."""
    if topic == PAYMENTS_WEBHOOKS.name:
        return [payments.ProviderEventReceived]
    owner, kind = topic.split(".")
    base = Command if kind == "commands" else Event
    others = [payments.ProviderEventReceived]
    return [c for c in classes if c.TYPE.startswith(f"{owner}.") and issubclass(c, base) and c not in others]


def _kept(config: dict[str, str]) -> str:
    retention = int(config["retention.ms"])
    if retention < 0:
        return "for ever"
    hours = retention // 3_600_000
    return f"{hours // 24} days" if hours >= 24 else f"{retention // 60_000} minutes"


def _type(annotation: object) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = re.sub(r"Annotated\[(\w+), [^]]*\]", r"\1", text)
    text = re.sub(r"\b\w+(\.\w+)*\.(?=[A-Za-z])", "", text)  # a name is enough, its module is noise
    return text.replace("|", "or")


PAGES = {"states.md": states, "messages.md": messages, "settings.md": settings, "asyncapi.json": asyncapi}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page())


if __name__ == "__main__":
    main()
