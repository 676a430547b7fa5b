"""What this machine is, and how much processor time its processes have used."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor seconds of a process, its descendants, and the children they outlived (/proc/PID/stat)."""
    total = 0.0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended; its parent counts it
        total += sum(int(ticks) for ticks in stat[11:15]) / _TICKS
    return total


def _machine_s() -> float:
    """Processor seconds that anything on this machine has used (/proc/stat)."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


@dataclass
class Meter:
    """Processor time of named processes between `start` and `stop`, and how busy the machine was."""

    pids: Mapping[str, int]
    used: dict[str, float] = field(default_factory=dict)
    wall_s: float = 0.0
    machine_s: float = 0.0

    def start(self) -> None:
        self._began = time.monotonic()
        self._machine_before = _machine_s()
        self._before = {name: cpu_s(pid) for name, pid in self.pids.items()}

    def stop(self) -> None:
        self.wall_s = time.monotonic() - self._began
        self.machine_s = _machine_s() - self._machine_before
        self.used = {name: cpu_s(pid) - self._before[name] for name, pid in self.pids.items()}

    def ms_each(self, count: int) -> dict[str, float]:
        """Milliseconds per unit of work, by process."""
        return {name: round(1000 * used / count, 4) if count else 0.0 for name, used in self.used.items()}


def described() -> dict[str, object]:
    """The machine in a few words, so that two results can be compared honestly."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
