"""Messages that nobody can process, or not yet: who has to park them, and who may skip them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.envelope import Envelope, encode, new_id
from shared.kafka import NOTIFIER_COMMANDS, PAYMENTS_EVENTS, RECONCILER_COMMANDS, Topic
from shared.messages.payments import LedgerCheckpoint
from shared.messages.reconciler import AcceptMismatch
from tests.integration.subscribers.system import Both, wrapped

PAYMENTS = ("notifier.payments.events", "reconciler.payments.events")
RECONCILER = ("reconciler.reconciler.commands",)
NOTIFIER = ("notifier.notifier.commands",)


@dataclass(frozen=True)
class Poison:
    """A record of `topic`; each consumer in `parks` keeps it for a person, all others pass over it."""

    topic: Topic
    value: bytes
    parks: tuple[str, ...]
    key: bytes = b"bad"


@dataclass
class _Made:
    """Bad copies of one good message, each under an id of its own."""

    topic: Topic
    good: Envelope
    parks: tuple[str, ...]
    made: list[Poison] = field(default_factory=list)

    def raw(self, *values: bytes) -> None:
        key = self.good.subject.encode()
        self.made += [Poison(self.topic, value, self.parks, key) for value in values]

    def changed(self, *, parks: tuple[str, ...] | None = None, key: str = "", **fields: Any) -> None:
        """With other fields of the envelope, or of its data where `data` says so."""
        plain = msgspec.json.decode(encode(self.good)) | {"id": new_id()}
        data = _merged(plain["data"], fields.pop("data", {}))
        value = msgspec.json.encode(plain | fields | {"data": data})
        key = key or fields.get("subject", self.good.subject)
        self.made.append(Poison(self.topic, value, self.parks if parks is None else parks, key.encode()))


def _merged(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    nested = {k: _merged(data[k], v) for k, v in changes.items() if isinstance(v, dict)}
    return data | changes | nested


def poisons(both: Both, paid: Envelope) -> Iterator[Poison]:
    """`paid` is a good one, under whose key most of these stand."""
    events = _Made(PAYMENTS_EVENTS, paid, PAYMENTS)
    events.raw(b"", b"not json", b"[]", b"\xff\xfe", b"[" * 100_000)
    events.changed(key="another")
    events.changed(data={"payment": {"provider": "razor\0pay"}})
    events.changed(data={"payment": {"amount": "49900"}})
    events.changed(data={"payment": {"status": "paid_twice"}})  # a word of a later release
    events.changed(type="payments.payment_paid.v2")
    events.changed(type="payments.payment_imagined.v1", parks=())
    # These are read, and refused when they are to be kept.
    refused: dict[str, dict[str, Any]] = {"o-large": {"amount": 2**70}, "checkpoint/x": {"currency": "inr"}}
    for order_id, odd in refused.items():
        payment = {"order_id": order_id, "payment_id": f"p-{order_id}", **odd}
        events.changed(subject=order_id, data={"payment": payment})
    yield from events.made

    checkpoint = wrapped(LedgerCheckpoint(until=paid.time), "0")
    later = _Made(PAYMENTS_EVENTS, checkpoint, PAYMENTS[1:])
    later.changed(type="payments.ledger_checkpoint.v2")
    yield from later.made

    runs = _Made(RECONCILER_COMMANDS, both.run(), RECONCILER)
    runs.raw(b"", b"{}")
    runs.changed(key="another")
    runs.changed(type="reconciler.run_reconciliation.v2")
    runs.changed(type="reconciler.close_the_books.v1")
    runs.changed(data={"day": "yesterday"})
    yield from runs.made

    accept = AcceptMismatch(mismatch_id="m", occurrence=1, person="asha", reason="known")
    people = _Made(RECONCILER_COMMANDS, wrapped(accept, "m"), RECONCILER)
    people.changed(data={"mismatch_id": "m\0"})
    people.changed(data={"occurrence": "first"})
    yield from people.made

    resends = _Made(NOTIFIER_COMMANDS, both.resend(paid.subject, "n"), NOTIFIER)
    resends.raw(b"", b"null")
    resends.changed(key="another")
    resends.changed(type="notifier.resend_document.v2")
    resends.changed(data={"nonce": ""})
    resends.changed(data={"person": None})
    yield from resends.made


async def inject(both: Both, poison: Poison) -> None:
    """Into its topic, and on the list of what has to be parked."""
    both.expected.parked.update((consumer, poison.value) for consumer in poison.parks)
    await both.send(poison.topic, poison.key, poison.value)
