"""Records as a subscriber finds them, and whether they stand in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.envelope import Envelope


@dataclass(frozen=True)
class Seen:
    """One record as a subscriber finds it."""

    partition: int
    offset: int
    key: bytes | None
    envelope: Envelope


def order_violations(records: Sequence[Seen]) -> list[str]:
    """S8: where the first occurrence of a version stands behind the first of a later one, or a key moved."""
    first: dict[tuple[str, int], int] = {}
    places: dict[str, set[int]] = {}
    for seen in records:
        version = seen.envelope.version
        if version is not None:
            first.setdefault((seen.envelope.subject, version), seen.offset)
            places.setdefault(seen.envelope.subject, set()).add(seen.partition)
    wrong = [f"{s} is in partitions {sorted(p)}" for s, p in places.items() if len(p) > 1]
    for (subject, version), offset in first.items():
        if version > 1 and first.get((subject, version - 1), offset + 1) > offset:
            wrong.append(f"{subject}: {version} stands before {version - 1}")
    return wrong
