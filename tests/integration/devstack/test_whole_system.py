"""The whole system on three Kafka nodes, two instances of two services: each part fails and returns."""

from pathlib import Path

import pytest

from devstack.options import Options
from devstack.ports import free_base
from devstack.process import wait_until
from devstack.stack import Stack
from tests.servers import QUIET_CONSUMERS

TIMEOUT_S = 120.0


def everything_ready(stack: Stack) -> bool:
    return all(stack.is_ready(name) for name in stack.all_processes())


@pytest.mark.timeout(600)  # fourteen processes on a machine that may be busy
def test_every_part_returns_to_service_on_three_nodes_with_two_instances(tmp_path: Path) -> None:
    with Stack(Options(tmp_path, free_base(), kafka_nodes=3, service_env=QUIET_CONSUMERS)) as stack:
        assert stack.start_service("gateway", instance=2) == "gateway-2"
        assert stack.start_service("payments", instance=2) == "payments-2"
        assert everything_ready(stack)

        stack.kill("payments")
        stack.freeze("gateway-2")
        stack.kill("kafka-1")
        assert not stack.alive("payments")
        assert not stack.is_ready("gateway-2")
        assert not stack.alive("kafka-1")
        # What was not hurt goes on, one Kafka node short.
        wait_until(lambda: stack.is_ready("gateway"), what="gateway", timeout_s=TIMEOUT_S)
        wait_until(lambda: stack.is_ready("payments-2"), what="payments-2", timeout_s=TIMEOUT_S)

        stack.thaw("gateway-2")
        stack.restart("kafka-1")
        stack.restart("payments")
        wait_until(lambda: everything_ready(stack), what="everything", timeout_s=TIMEOUT_S)
        processes = list(stack.all_processes().values())
    assert [process.name for process in processes if process.alive] == []
