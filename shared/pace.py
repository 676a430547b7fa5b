"""The wait between two batches follows the load: none when it is low; else a batch is worth its cost."""

import asyncio
import time
from dataclasses import dataclass, field

PACED_BATCH = 40  # under load, wait until about so many are there: tiny batches eat the machine
PACE_MAX_S = 0.02


@dataclass(slots=True)
class Pace:
    """One loop's rhythm."""

    _rate: float = 0.0  # records per second, smoothed
    _returned_at: float = field(default_factory=time.monotonic)

    async def after(self, count: int) -> None:
        """Called after a batch of `count` records; returns when the next one should be fetched."""
        now = time.monotonic()
        elapsed = max(now - self._returned_at, 1e-4)
        self._rate = 0.8 * self._rate + 0.2 * count / elapsed
        if count < PACED_BATCH and self._rate > PACED_BATCH / PACE_MAX_S / 4:
            await asyncio.sleep(min(PACE_MAX_S, PACED_BATCH / self._rate) / 2)
        self._returned_at = time.monotonic()
