"""Where a key lives. Partition counts and the choice of partition are for life, so they are typed here."""

from types import SimpleNamespace

import pytest

from shared.kafka import ORDERS_EVENTS, PAYMENTS_COMMANDS, PAYMENTS_REPLIES, TOPICS
from shared.settings import KafkaSettings
from shared.subscribe import Subscriptions

KEYS = ["order-1", "order-2", "ord_7Hk2", "a", ""]


def test_our_own_topics_place_keys_by_crc32() -> None:
    assert [PAYMENTS_COMMANDS.partition_of(k.encode()) for k in KEYS] == [1, 3, 2, 3, 0]


def test_topics_that_shops_write_place_keys_as_kafkas_own_clients_do() -> None:
    # Apache Kafka, org.apache.kafka.common.utils.UtilsTest: murmur2 of these byte strings.
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, murmur2 in known.items():
        assert ORDERS_EVENTS.partition_of(key) == (murmur2 & 0x7FFFFFFF) % ORDERS_EVENTS.partitions


def test_partition_counts_stay() -> None:
    counts = {t.name: t.partitions for t in TOPICS.values() if not t.name.startswith("example.")}
    assert counts == {
        "orders.events": 6, "payments.commands": 6, "payments.webhooks": 6, "payments.replies": 3,
        "payments.events": 6, "notifier.events": 3, "notifier.commands": 3, "reconciler.events": 3,
        "reconciler.commands": 3, "privacy.commands": 1, "privacy.events": 1,
    }  # fmt: skip


@pytest.mark.parametrize("topic", TOPICS.values(), ids=str)
def test_only_replies_are_kept_less_than_a_week(topic: object) -> None:
    week_ms = 7 * 24 * 3600 * 1000
    retention = int(topic.config.get("retention.ms", week_ms))  # type: ignore[attr-defined]
    assert retention == -1 or retention >= week_ms or topic is PAYMENTS_REPLIES


def test_no_consumer_skips_or_commits_by_itself() -> None:
    loop = SimpleNamespace(
        name="payments.payments.commands", label="payments.payments.commands", topic=PAYMENTS_COMMANDS
    )
    subscriptions = Subscriptions(KafkaSettings(bootstrap_servers="x:1"), [loop], "payments-1", "1")  # type: ignore[list-item]
    (subscriber,) = subscriptions._new_broker().subscribers
    options = subscriber._connection_args  # type: ignore[attr-defined]
    assert options["enable_auto_commit"] is False
    assert options["auto_offset_reset"] == "earliest"
    assert options["isolation_level"] == "read_committed"
    assert options["group_instance_id"] == "payments.payments.commands.1"
