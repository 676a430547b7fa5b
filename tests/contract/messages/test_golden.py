"""One golden JSON per message type and version. Files are added, never edited: old messages stay readable."""

from pathlib import Path

import msgspec
import pytest

from shared.messages import notifier, orders, payments, privacy, reconciler
from shared.messages.base import Message

GOLDEN = Path(__file__).parent / "golden"


def published() -> list[type[Message]]:
    """Every message class that travels over Kafka."""
    modules = (orders, payments, notifier, reconciler, privacy)
    found = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and "TYPE" in vars(value)
    }
    return sorted(found, key=lambda c: c.TYPE)


@pytest.mark.parametrize("message", published(), ids=lambda c: c.TYPE)
def test_the_golden_message_decodes_and_encodes_to_itself(message: type[Message]) -> None:
    golden = (GOLDEN / f"{message.TYPE}.json").read_bytes()
    decoded = msgspec.json.decode(golden, type=message)
    again = msgspec.json.decode(decoded.encode())
    assert again == msgspec.json.decode(golden)


@pytest.mark.parametrize("message", published(), ids=lambda c: c.TYPE)
def test_a_field_from_the_future_is_ignored(message: type[Message]) -> None:
    golden = msgspec.json.decode((GOLDEN / f"{message.TYPE}.json").read_bytes())
    with_more = msgspec.json.encode(golden | {"a_field_of_next_year": {"x": [1]}})
    assert msgspec.json.decode(with_more, type=message) == msgspec.json.decode(
        msgspec.json.encode(golden), type=message
    )


def test_no_golden_message_was_left_behind_or_forgotten() -> None:
    assert {f.stem for f in GOLDEN.glob("*.json")} >= {c.TYPE for c in published()}


def test_types_follow_the_naming_rule() -> None:
    for message in published():
        owner, name, version = message.TYPE.split(".")
        assert owner in ("orders", "payments", "notifier", "reconciler", "privacy")
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in message.__name__).strip("_")
        assert (name, version) == (snake, "v1")
