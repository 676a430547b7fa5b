"""A failpoint strikes where it was meant, and nowhere else."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
from shared.failpoints import arm, passing
arm({setting!r})
for kind in ("capture", "refund", "refund"):
    passing("tasks.claimed", kind)
    print(kind, flush=True)
"""


@pytest.mark.parametrize(
    ("setting", "passed"),
    [
        ("tasks.claimed:exit@1", []),
        ("tasks.claimed:exit@2", ["capture"]),
        ("tasks.claimed/refund:exit@1", ["capture"]),
        ("tasks.claimed/refund:exit@2", ["capture", "refund"]),
    ],
)
def test_it_dies_at_the_named_pass_of_the_named_kind(setting: str, passed: list[str]) -> None:
    code = PROGRAM.format(setting=setting)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == passed
    assert f"failpoint {setting.partition(':')[0]}: SIGKILL" in done.stderr


def test_what_is_armed_for_another_kind_does_nothing() -> None:
    code = PROGRAM.format(setting="tasks.claimed/cancel:exit@1")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["capture", "refund", "refund"])
