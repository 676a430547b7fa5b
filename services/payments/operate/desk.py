"""The service's own parts, in the hands of a person."""

from dataclasses import replace
from typing import cast

from services.payments.app import build
from services.payments.domain.state import Payment
from services.payments.settings import PaymentsSettings
from services.payments.store import PaymentStore
from shared.apply import Applier
from shared.kafka import PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS, Topic
from shared.service import Kit, read_settings


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(read_settings("payments", PaymentsSettings))


def commands_applier(kit: Kit) -> Applier[Payment]:
    """What the service applies commands with."""
    return _applier(kit, PAYMENTS_COMMANDS)


def webhooks_applier(kit: Kit) -> Applier[Payment]:
    """What the service applies webhooks with."""
    return _applier(kit, PAYMENTS_WEBHOOKS)


def store(kit: Kit) -> PaymentStore:
    """Reads and writes this service's tables."""
    return cast("PaymentStore", commands_applier(kit).store)


def _applier(kit: Kit, topic: Topic) -> Applier[Payment]:
    loop = next(loop for loop in kit.loops if loop.topic is topic)
    # Whoever waits for an answer over Kafka asks again: this process is not connected to it.
    return replace(loop.applier, reply=lambda _: None)
