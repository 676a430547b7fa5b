"""The service's own parts, in the hands of a person."""

from services.notifier.app import build
from services.notifier.settings import NotifierSettings
from shared.envelope import fingerprint, new_id, now_utc
from shared.inbox import Incoming
from shared.kafka import NOTIFIER_COMMANDS
from shared.messages.base import wrap
from shared.messages.notifier import ResendDocument
from shared.service import Kit, read_settings


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(read_settings("notifier", NotifierSettings))


async def carry_out(kit: Kit, command: ResendDocument) -> None:
    """Applies the command now, by the same rules as one from Kafka; the running service does the rest."""
    applier = next(loop for loop in kit.loops if loop.topic is NOTIFIER_COMMANDS).applier
    envelope = wrap(command, source="operator", subject=command.order_id, time=now_utc(), id=new_id())
    incoming = Incoming(envelope.id, envelope, command, fingerprint(bytes(envelope.data)))
    await applier.apply([incoming])
