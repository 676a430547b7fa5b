"""The settings of every service in one file, for the operators' command beside a running stack."""

import shlex
from pathlib import Path

from devstack.ports import SERVICES
from devstack.services import Wiring, inherited_env

NAME = "operator.env"


def write(wiring: Wiring) -> Path:
    """A file that a shell can read (`set -a; . FILE`), readable by us only: it holds the stack's secrets."""
    usual = inherited_env()
    lines = [
        f"{name}={shlex.quote(value)}"
        for service in SERVICES
        for name, value in wiring.service_env(service).items()
        if name not in usual
    ]
    path = wiring.data_dir / NAME
    path.touch(mode=0o600)
    path.write_text("\n".join([*lines, ""]))
    return path
