"""A stack's processes: hurt and mended by name, none left behind, several stacks side by side."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack import machine
from devstack.data_folder import DataFolder, Running
from devstack.options import Options, Parts
from devstack.ports import free_base
from devstack.process import StackError, wait_until
from devstack.services import ROOT
from devstack.stack import Stack

READY_S = 150.0


def command_line(command: str, folder: Path, base: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "devstack", command, "--port-base", str(base), "--data-dir", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def children_of(folder: Path) -> dict[str, Running]:
    note = DataFolder(folder).note()
    return note.children if note else {}


def living(children: dict[str, Running]) -> list[str]:
    return [name for name, child in children.items() if child.find() is not None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Engines, simulator and mailbox, brought back when they die."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(Options(folder, free_base(), Parts.OUTSIDE, respawn=True)) as running:
        yield running


def test_every_part_is_ready_and_logs_to_its_own_file(stack: Stack) -> None:
    assert list(stack.all_processes()) == ["postgres", "kafka", "simulator", "mailbox"]
    for name in stack.all_processes():
        assert stack.is_ready(name)
        assert stack.log(name).exists()


def test_what_is_killed_comes_back_and_that_is_told(stack: Stack) -> None:
    before = stack.process("mailbox").pid
    stack.kill("mailbox")
    wait_until(lambda: stack.is_ready("mailbox"), what="mailbox", timeout_s=READY_S)
    assert stack.process("mailbox").pid != before
    assert stack.supervisor.respawns["mailbox"] == 1
    assert "mailbox died (exit code -9)" in (stack.folder.logs / "stack.log").read_text()


def test_what_is_stopped_in_order_stays_stopped(stack: Stack) -> None:
    respawns = dict(stack.supervisor.respawns)
    stack.stop_part("simulator")
    stack.kill("mailbox")  # its return shows that the supervisor has looked since
    wait_until(lambda: stack.is_ready("mailbox"), what="mailbox", timeout_s=READY_S)
    assert not stack.alive("simulator")
    assert stack.supervisor.respawns.get("simulator") == respawns.get("simulator")
    stack.restart("simulator")
    assert stack.is_ready("simulator")


def test_a_frozen_part_is_silent_until_it_is_thawed(stack: Stack) -> None:
    stack.freeze("mailbox")
    assert stack.alive("mailbox")
    assert not stack.is_ready("mailbox")
    stack.thaw("mailbox")
    wait_until(lambda: stack.is_ready("mailbox"), what="mailbox", timeout_s=READY_S)


def test_an_unknown_name_is_answered_with_the_known_ones(stack: Stack) -> None:
    with pytest.raises(StackError, match="no part of this stack is called paymnets: postgres, kafka"):
        stack.kill("paymnets")


def test_a_second_stack_in_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match=f"already runs in .* \\(process {os.getpid()}\\)"):
        Stack(Options(stack.folder.path, free_base(), Parts.ENGINES)).start()


def test_a_busy_port_is_one_clear_line_and_exit_code_2(stack: Stack, tmp_path: Path) -> None:
    process = command_line("engines", tmp_path / "other", stack.options.port_base)
    said, _ = process.communicate(timeout=READY_S)
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert f"port {stack.ports.postgres} is busy" in said
    assert "PORT_BASE" in said


def test_two_stacks_run_side_by_side_and_ctrl_c_leaves_no_process(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    process = command_line("engines", folder, free_base())
    try:
        wait_until(lambda: len(children_of(folder)) == 2, what="the second stack", timeout_s=READY_S)
        children = children_of(folder)
        assert stack.is_ready("kafka")
        assert stack.is_ready("postgres")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, 130), said
    assert set(children) == {"postgres", "kafka"}
    assert living(children) == []


def test_a_killed_stack_takes_its_processes_along_and_can_start_again(tmp_path: Path) -> None:
    folder, base = tmp_path / "stack", free_base()
    process = command_line("engines", folder, base)
    try:
        wait_until(lambda: len(children_of(folder)) == 2, what="the stack", timeout_s=READY_S)
        children = children_of(folder)
        members = [psutil.Process(child.pid) for child in children.values()]
        members += [member for head in members for member in head.children(recursive=True)]
        process.kill()
        process.communicate(timeout=10)
        assert psutil.wait_procs(members, timeout=20)[1] == []
        began = time.monotonic()
        with Stack(Options(folder, base, Parts.ENGINES)) as again:
            print(f"started again after SIGKILL in {time.monotonic() - began:.1f} s")
            assert again.is_ready("kafka")
    finally:
        process.kill()


def test_only_a_stacks_own_folder_is_wiped(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match="holds no stack's data"):
        DataFolder(tmp_path).wipe()
    assert (tmp_path / "thesis.txt").exists()


def test_too_little_memory_or_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^700 MB of memory are free, the stack needs 1500 MB$"):
        machine.require_memory(1500, available_mb=700)
    with pytest.raises(StackError, match=r"^12 MB are free on the disk"):
        machine.require_disk(tmp_path / "not" / "there" / "yet", available_mb=12)


def test_no_network_at_the_first_start_is_one_clear_line(tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let a test cut itself off the network (unshare --net)")
    env = os.environ | {"PAYSTREAM_CACHE_DIR": str(tmp_path / "cache"), "M2_REPO": str(tmp_path / "m2")}
    fetch = "from devstack.kafka_jars import kafka_jars; kafka_jars()"
    done = subprocess.run(
        [*alone, sys.executable, "-c", fetch], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "StackError: Kafka's jars could not be fetched; is there a network?" in done.stderr
    assert list((tmp_path / "cache" / "kafka").glob("*.jar")) == []


def test_no_python_is_one_clear_line(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "cmp"):
        (tools / name).symlink_to(shutil.which(name) or name)
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")  # one that is too old says no
    (tools / "python3").chmod(0o755)
    done = subprocess.run(
        [str(tools / "bash"), str(ROOT / "devstack" / "setup.sh"), str(tmp_path / "venv")],
        cwd=ROOT,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("setup: no Python 3.11 or newer found")
    assert done.stderr.count("\n") == 1
