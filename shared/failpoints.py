"""Named places where a test may make the process die or freeze, so that every such point has a test.

Off unless the `failpoint` setting names one, and refused in production mode.
"""

import os
import signal


class _Armed:
    """The one place that is armed in this process."""

    target: str | None = None
    countdown = 0
    signal = signal.SIGKILL


_SIGNALS = {"exit": signal.SIGKILL, "freeze": signal.SIGSTOP}


def arm(setting: str) -> None:
    """Arms `name:exit@n` or `name:freeze@n`: the signal to this process at the n-th pass of `name`.

    `name/kind` is armed for one kind of work alone, e.g. `tasks.claimed/refund`. Empty: nothing is armed.
    """
    if not setting:
        return
    name, _, action = setting.partition(":")
    kind, _, count = action.partition("@")
    if kind not in _SIGNALS or not name:
        raise ValueError(f"FAILPOINT {setting!r} is not of the form name:exit@n or name:freeze@n")
    _Armed.target, _Armed.countdown, _Armed.signal = name, int(count or 1), _SIGNALS[kind]


def passing(name: str, kind: str = "") -> None:
    """Called at the place of that name; dies or freezes there when it is armed and due."""
    if _Armed.target is None or _Armed.target not in (name, f"{name}/{kind}"):
        return
    name = _Armed.target
    _Armed.countdown -= 1
    if _Armed.countdown <= 0:
        _Armed.target = None
        os.write(2, f"failpoint {name}: {_Armed.signal.name} to this process\n".encode())
        os.kill(os.getpid(), _Armed.signal)
