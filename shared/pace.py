"""The wait between two batches follows the load: none when it is low; else a batch is worth its cost."""

import asyncio
import time
from dataclasses import dataclass, field

PACED_BATCH = 150  # under load, wait until about so many are there: small batches eat the machine
DECIDING_S = 0.02  # the longest wait where money or a buyer waits for the answer
FOLLOWING_S = 0.1  # and where a projection only follows what was decided
LOAD_PER_S = 500.0  # records; below it nothing waits


@dataclass(slots=True)
class Pace:
    """One loop's rhythm."""

    longest_s: float = DECIDING_S
    _rate: float = 0.0  # records per second, smoothed
    _returned_at: float = field(default_factory=time.monotonic)

    async def after(self, count: int) -> None:
        """Called after a batch of `count` records; returns when the next one should be fetched."""
        now = time.monotonic()
        elapsed = max(now - self._returned_at, 1e-4)
        self._rate = 0.8 * self._rate + 0.2 * count / elapsed
        if count < PACED_BATCH and self._rate > LOAD_PER_S:
            await asyncio.sleep(min(self.longest_s, PACED_BATCH / self._rate))
        self._returned_at = time.monotonic()
