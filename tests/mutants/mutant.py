"""What a seeded bug is, and how a copy of the project gets it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("paystream", "services", "shared", "devstack", "tests", "client", "pyproject.toml")


class Stale(Exception):
    """The code has moved on and the change no longer fits; the mutant must be written anew."""


@dataclass(frozen=True)
class Mutant:
    """`before` occurs exactly once in `file` and becomes `after`; `caught_by` are pytest node ids."""

    name: str
    file: str
    before: str
    after: str
    caught_by: tuple[str, ...]

    def apply(self, copy: Path) -> None:
        path = copy / self.file
        code = path.read_text()
        if code.count(self.before) != 1:
            raise Stale(f"{self.name}: {code.count(self.before)} times in {self.file}: {self.before!r}")
        path.write_text(code.replace(self.before, self.after))


def copy_project(folder: Path) -> Path:
    """Our code without what was built from it; the running test servers are shared with the original."""
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", ".*_cache")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        elif source.exists():
            shutil.copy(source, folder / name)
    (ROOT / ".data").mkdir(exist_ok=True)
    (folder / ".data").symlink_to(ROOT / ".data")
    return folder
