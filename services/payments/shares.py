"""Slots per provider: one that is slow cannot hold every slot of a kind of task while others wait."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from shared.tasks import Answered, ClaimedTask, Later, Performer

PUT_BACK_S = 0.25  # soon: a call ends within a second as a rule
SHARE = 0.75  # of a kind's slots that one of several providers may hold


class _Provider(msgspec.Struct):
    provider: str


_decoder = msgspec.json.Decoder(_Provider)


class Shares:
    """Counts the calls under way per kind of task and provider."""

    def __init__(self, slots: Mapping[str, int], providers: int) -> None:
        share = SHARE if providers > 1 else 1.0
        self._most = {kind: max(1, int(number * share)) for kind, number in slots.items()}
        self._busy: Counter[tuple[str, str]] = Counter()

    def limited(self, performer: Performer) -> Performer:
        """The performer, which puts a task back unbegun while its provider has no slot free."""

        async def perform(task: ClaimedTask) -> Answered | Later:
            key = task.kind, _decoder.decode(task.payload).provider
            if self._busy[key] >= self._most[task.kind]:
                return Later(PUT_BACK_S, f"{key[1]} holds its slots", unbegun=True)
            self._busy[key] += 1
            try:
                return await performer(task)
            finally:
                self._busy[key] -= 1

        return perform
