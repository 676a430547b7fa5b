"""Within one batch, what a decision adds and a later one drops never was."""

from shared.apply import _net
from shared.decision import Decision, Task
from shared.envelope import now_utc
from shared.inbox import Incoming
from shared.messages.base import wrap
from shared.messages.payments import LookAgain
from shared.task_rows import merged


def message() -> Incoming:
    command = LookAgain(order_id="o")
    return Incoming("id", wrap(command, source="test", subject="o", time=now_utc()), command, b"")


def decided(*, add: tuple[str, ...] = (), drop: tuple[str, ...] = ()) -> tuple[Incoming, Decision[str]]:
    return message(), Decision("state", tasks=tuple(Task("kind", k, "o") for k in add), dropped=drop)


def test_an_authorisation_and_its_capture_in_one_batch_leave_no_capture_task() -> None:
    dropped, added = _net([decided(add=("capture:1", "look:1")), decided(drop=("capture:1",))])
    assert (dropped, [t.key for t in added]) == (["capture:1"], ["look:1"])


def test_what_is_added_after_a_drop_stands() -> None:
    dropped, added = _net([decided(drop=("look:1",)), decided(add=("look:1",))])
    assert (dropped, [t.key for t in added]) == (["look:1"], ["look:1"])


def test_what_is_wanted_twice_in_one_batch_is_done_as_soon_as_either_wants_it() -> None:
    late, soon = Task("look", "look:1", "o", b"a", 30.0, 60), Task("look", "look:1", "o", b"b", 0.0, 30)
    assert merged([late, soon]) == [Task("look", "look:1", "o", b"a", 0.0, 30)]
    assert merged([soon, late]) == [soon]
