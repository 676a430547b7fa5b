"""How long a failed task rests."""

from shared.tasks import BUG_BACKOFF_MAX_S, backoff_s


def test_a_rest_doubles_up_to_a_limit_however_often_the_task_was_claimed() -> None:
    assert [backoff_s(claims) for claims in (1, 2, 3, 8)] == [2.0, 4.0, 8.0, 256.0]
    assert backoff_s(100_000) == BUG_BACKOFF_MAX_S
