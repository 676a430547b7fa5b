"""Named places where a test may make the process die, so that every crash point has a test.

Off unless the `failpoint` setting names one, and refused in production mode.
"""

import os
import signal

_target: str | None = None
_countdown = 0


def arm(setting: str) -> None:
    """Arms `name:exit@n`: SIGKILL to this process at the n-th pass of `name`. Empty: nothing is armed."""
    global _target, _countdown
    if not setting:
        return
    name, _, action = setting.partition(":")
    kind, _, count = action.partition("@")
    if kind != "exit" or not name:
        raise ValueError(f"FAILPOINT {setting!r} is not of the form name:exit@n")
    _target, _countdown = name, int(count or 1)


def passing(name: str) -> None:
    """Called at the place of that name; dies there when it is armed and due."""
    global _countdown
    if name != _target:
        return
    _countdown -= 1
    if _countdown <= 0:
        os.write(2, f"failpoint {name}: killing this process\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
