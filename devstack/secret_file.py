"""Passwords and keys of one stack: made once, kept in its data folder, never in code."""

import json
import os
import secrets
from pathlib import Path

from devstack.ports import SERVICES

ROLE_KINDS = ("owner", "app", "eraser")
_SECRET_BYTES = 24  # 192 bits, and short enough to read aloud in an emergency


def random_secret() -> str:
    """Letters, digits, ``-`` and ``_``: safe in a URL, an SQL string and a shell."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def kept_secrets(path: Path, make: dict[str, str]) -> dict[str, str]:
    """What the file holds, with those names of ``make`` added that it lacks; readable by us only."""
    held: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if missing := {name: value for name, value in make.items() if name not in held}:
        held |= missing
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(held, indent=2, sort_keys=True))
        os.replace(draft, path)  # noqa: PTH105 - both names are ours
    return held


def database_passwords(path: Path) -> dict[str, str]:
    """Role name → password, for the superuser and for every service's roles."""
    roles = ["postgres", *(f"{s}_{kind}" for s in SERVICES for kind in ROLE_KINDS)]
    return kept_secrets(path, {role: random_secret() for role in roles})
