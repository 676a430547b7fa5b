"""Circuit breakers: a provider that does not answer is asked less, and not offered to new buyers.

One circuit per provider and operation, in this process. Closed: calls go through. So many failures in a
row open it: for a while no call is made. Then half open: one call tries; its end closes or opens it again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from shared.errors import Malformed, OutcomeUnknown, Rejected, Unavailable

log = structlog.get_logger()

T = TypeVar("T")

CIRCUIT = Gauge("paystream_circuit_open", "1 while no calls are made", ["provider", "operation"])
OPENED = Counter("paystream_circuit_opened", "How often a circuit opened", ["provider", "operation"])
CALLS = Counter("paystream_provider_calls", "Calls by how they ended", ["provider", "operation", "result"])

BUYERS = ("open_order", "look")  # a buyer who is sent there needs these


@dataclass(slots=True)
class Circuit:
    """The calls of one kind to one provider."""

    provider: str
    operation: str
    failures_max: int
    open_s: float
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _open_until: float | None = None
    _trying: bool = False

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        if self._open_until is None:
            return "closed"
        return "open" if self._trying or self.clock() < self._open_until else "half_open"

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work()`, or Unavailable without a call while the circuit is open."""
        state = self.state
        if state == "open":
            CALLS.labels(self.provider, self.operation, "not_made").inc()
            detail = f"{self.provider} did not answer {self._failures} times in a row: not asked now"
            raise Unavailable("provider-unavailable", detail, self._wait_s())
        tries = state == "half_open"
        self._trying = self._trying or tries
        try:
            result = await work()
        except (Unavailable, OutcomeUnknown, TimeoutError, asyncio.CancelledError) as error:
            self._failed(error)
            raise
        except (Rejected, Malformed):
            self._answered("refused")
            raise
        finally:
            if tries:
                self._trying = False
        self._answered("answered")
        return result

    def _wait_s(self) -> float:
        return max(0.1, (self._open_until or 0.0) - self.clock())

    def _answered(self, result: str) -> None:
        """Any answer, a refusal too, shows that somebody is there."""
        CALLS.labels(self.provider, self.operation, result).inc()
        if self._open_until is not None:
            log.info("a provider answers again", provider=self.provider, operation=self.operation)
        self._failures, self._open_until = 0, None
        CIRCUIT.labels(self.provider, self.operation).set(0)

    def _failed(self, error: BaseException) -> None:
        result = "unknown" if isinstance(error, OutcomeUnknown) else "unavailable"
        CALLS.labels(self.provider, self.operation, result).inc()
        self._failures += 1
        if self._failures < self.failures_max:
            return
        if self._open_until is None:
            OPENED.labels(self.provider, self.operation).inc()
            log.warning(
                "a provider does not answer; it is left alone for a while",
                provider=self.provider, operation=self.operation, error=str(error)[:200],
            )  # fmt: skip
        self._open_until = self.clock() + self.open_s
        CIRCUIT.labels(self.provider, self.operation).set(1)


@dataclass(slots=True)
class Breakers:
    """Every circuit of this process, made at its first call."""

    failures_max: int = 5
    open_s: float = 10.0
    clock: Callable[[], float] = time.monotonic
    _circuits: dict[tuple[str, str], Circuit] = field(default_factory=dict)

    def circuit(self, provider: str, operation: str) -> Circuit:
        key = provider, operation
        if key not in self._circuits:
            self._circuits[key] = Circuit(*key, self.failures_max, self.open_s, self.clock)
        return self._circuits[key]

    def unhealthy(self) -> frozenset[str]:
        """Providers to which no new buyer is sent just now; one whose circuit is half open may be tried."""
        return frozenset(self._open())

    def _open(self) -> Iterable[str]:
        for (provider, operation), circuit in self._circuits.items():
            if operation in BUYERS and circuit.state == "open":
                yield provider
