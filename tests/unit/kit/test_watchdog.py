"""The watchdog tells a stuck consumer from an idle one, and from one that says why it waits."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from shared.health import Health
from shared.subscribe import REPLACED_AFTER_S, STUCK_AFTER_S, Stuck, judge


def a_loop(*, progress_s_ago: float, waiting_s: float | None) -> Any:
    now = time.monotonic()
    since = None if waiting_s is None else now - waiting_s
    return SimpleNamespace(label="loop", progress_at=now - progress_s_ago, waiting_since=since)


def test_an_idle_loop_is_well_and_so_is_the_first_record_after_a_long_silence() -> None:
    health, loop = Health(), a_loop(progress_s_ago=86_400, waiting_s=None)
    judge(loop, 0, health)
    judge(loop, 1, health)  # it came this moment
    assert health.stuck == {}


def test_records_that_wait_without_progress_make_it_stuck_and_then_end_the_process() -> None:
    health = Health()
    judge(a_loop(progress_s_ago=90, waiting_s=STUCK_AFTER_S + 1), 5, health)
    assert "5 records wait" in health.stuck["loop"]
    with pytest.raises(Stuck):
        judge(a_loop(progress_s_ago=900, waiting_s=REPLACED_AFTER_S + 1), 5, health)


def test_progress_clears_it() -> None:
    health = Health(stuck={"loop": "stuck"})
    judge(a_loop(progress_s_ago=1, waiting_s=STUCK_AFTER_S + 1), 5, health)
    assert health.stuck == {}


def test_a_loop_that_says_why_it_waits_is_not_stuck() -> None:
    health = Health(problems={"loop": "waiting for its database"})
    judge(a_loop(progress_s_ago=900, waiting_s=900), 5, health)
    assert health.stuck == {}
