"""Wall-clock time, or a time behind it; the time scale shortens waiting, never the time that is shown."""

import time


class Clock:
    """Real time for time stamps, scaled time for provider durations (expiries, retry intervals).

    Put behind real time it goes on from there at real speed, so that a test can play days of the past.
    """

    def __init__(self, scale: float) -> None:
        if scale <= 0:
            raise ValueError(f"the time scale must be above 0, not {scale}")
        self.scale = scale
        self.behind_s = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() - self.behind_s

    def real(self, duration_s: float) -> float:
        """The seconds of real time that a provider's duration takes here."""
        return duration_s / self.scale
