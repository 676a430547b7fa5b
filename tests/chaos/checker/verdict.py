"""How a check speaks: each violation is lost, doubled or wrong, and says which object it means."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chaos.checker.evidence import Evidence

Kind = Literal["lost", "doubled", "wrong"]
EXAMPLES_MAX = 10


@dataclass(frozen=True, slots=True)
class Violation:
    kind: Kind
    text: str


Check = Callable[[Evidence], Iterable[Violation]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one invariant found; none is good."""

    invariant: str
    title: str
    violations: Sequence[Violation]

    def __str__(self) -> str:
        examples = "; ".join(f"{v.kind}: {v.text}" for v in self.violations[:EXAMPLES_MAX])
        return f"{self.invariant} {self.title}: {len(self.violations)} ({examples})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of one run."""

    findings: Sequence[Finding]

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.violations]

    def count(self, kind: Kind) -> int:
        return sum(v.kind == kind for finding in self.findings for v in finding.violations)


def lost(text: str) -> Violation:
    return Violation("lost", text)


def doubled(text: str) -> Violation:
    return Violation("doubled", text)


def wrong(text: str) -> Violation:
    return Violation("wrong", text)
