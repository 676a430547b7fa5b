"""`python -m tests.mutants [NAME …] [--jobs N]`: exit code 0 only when every seeded bug was caught."""

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tests.mutants
from tests.mutants.mutant import Mutant, Stale, copy_project
from tests.servers import servers

TESTS_FAILED = 1  # pytest's exit code; every other one above 0 says that nothing was tested
TEST_TIMEOUT_S = 120
RUN_TIMEOUT_S = 600
CONTROL_TIMEOUT_S = 2400  # every test that any of them names


def catalogue(wanted: list[str]) -> list[Mutant]:
    """The seeded bugs of each module here that ends in `_mutants`; `wanted`: parts of its or their names."""
    found: list[Mutant] = []
    for module in pkgutil.iter_modules(tests.mutants.__path__):
        if module.name.endswith("_mutants"):
            mutants: tuple[Mutant, ...] = importlib.import_module(f"tests.mutants.{module.name}").MUTANTS
            found += [
                mutant for mutant in mutants
                if not wanted or any(part in f"{module.name} {mutant.name}" for part in wanted)
            ]  # fmt: skip
    return found


def run(
    copy: Path, node_ids: tuple[str, ...], workers: int = 0, timeout_s: float = RUN_TIMEOUT_S
) -> tuple[int, str]:
    """(pytest's exit code, its last lines) of these tests in this copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=line"]
    command += [f"--timeout={TEST_TIMEOUT_S}", f"--numprocesses={workers}", *node_ids]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    try:
        done = subprocess.run(
            command, cwd=copy, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return TESTS_FAILED, f"still ran after {timeout_s:.0f} s"
    return done.returncode, "\n".join(done.stdout.splitlines()[-8:])


def judge(mutant: Mutant) -> bool:
    """Whether the tests that must catch this bug do."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = copy_project(Path(folder))
        mutant.apply(copy)
        code, last = run(copy, mutant.caught_by)
    caught = code == TESTS_FAILED
    verdict = "caught" if caught else "NOT CAUGHT" if code == 0 else f"NOT TESTED (pytest exit code {code})"
    print(f"{verdict:10} {time.monotonic() - began:5.1f} s  {mutant.name}", flush=True)
    if not caught:
        print(last, flush=True)
    return caught


def control(mutants: list[Mutant], workers: int) -> bool:
    """Without any bug the same tests pass: else catching one would say nothing."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        node_ids = tuple(dict.fromkeys(n for m in mutants for n in m.caught_by))
        workers = min(workers, len(node_ids))
        code, last = run(copy_project(Path(folder)), node_ids, workers, CONTROL_TIMEOUT_S)
    print(f"control: {'all tests pass without a bug' if code == 0 else last}", flush=True)
    return code == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names, e.g. kit_mutants; all when none is given")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    mutants = catalogue(wanted.names)
    with servers():  # stay up for the whole run
        if not control(mutants, wanted.jobs):
            return 2
        try:
            with ThreadPoolExecutor(wanted.jobs) as pool:
                verdicts = list(pool.map(judge, mutants))
        except Stale as stale:
            print(stale)
            return 2
    print(f"caught {sum(verdicts)} / {len(verdicts)}")
    return 0 if verdicts and all(verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
