"""Named places where a test may make the process die, so that every crash point has a test.

Off unless the `failpoint` setting names one, and refused in production mode.
"""

import os
import signal


class _Armed:
    """The one place that is armed in this process."""

    target: str | None = None
    countdown = 0


def arm(setting: str) -> None:
    """Arms `name:exit@n`: SIGKILL to this process at the n-th pass of `name`. Empty: nothing is armed."""
    if not setting:
        return
    name, _, action = setting.partition(":")
    kind, _, count = action.partition("@")
    if kind != "exit" or not name:
        raise ValueError(f"FAILPOINT {setting!r} is not of the form name:exit@n")
    _Armed.target, _Armed.countdown = name, int(count or 1)


def passing(name: str) -> None:
    """Called at the place of that name; dies there when it is armed and due."""
    if name != _Armed.target:
        return
    _Armed.countdown -= 1
    if _Armed.countdown <= 0:
        os.write(2, f"failpoint {name}: killing this process\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
