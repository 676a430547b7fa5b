"""From a record's bytes to a message that a decider can take, or to the reason why none can."""

from shared.envelope import decode, fingerprint
from shared.errors import Malformed
from shared.inbox import Incoming, Record
from shared.messages.base import Catalogue
from shared.messages.payments import ProviderEventReceived


def decode_record(record: Record, catalogue: Catalogue, *, keyed: bool, commands: bool) -> Incoming | None:
    """The message in this record; None for what may be skipped. Raises Malformed for all else.

    `keyed`: the Kafka key must be the message's subject. `commands`: nothing unknown may be skipped.
    """
    if record.value is None:
        return None  # a tombstone: declared to mean nothing on our topics
    envelope = decode(record.value)
    if keyed and record.key != envelope.subject.encode():
        raise Malformed("wrong-key", "the Kafka key is not the subject of the message")
    if envelope.type not in catalogue:
        _check_unknown(envelope.type, catalogue, commands=commands)
        return None
    message = catalogue.decode(envelope)
    body = message.body if isinstance(message, ProviderEventReceived) else bytes(envelope.data)
    return Incoming(envelope.id, envelope, message, fingerprint(body), record)


def _check_unknown(type_: str, catalogue: Catalogue, *, commands: bool) -> None:
    """Raises Malformed for what must not be skipped: a command, or a new version of an event we read."""
    if commands:
        raise Malformed("unknown-command", f"no command of type {type_} is known here")
    if type_.rpartition(".v")[0] in {known.rpartition(".v")[0] for known in catalogue.classes}:
        raise Malformed("unknown-version", f"{type_} is a version of a known event that is not known here")
