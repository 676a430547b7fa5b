"""What a scenario needs of a provider: its people, its bank and its network, behind one interface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from shared.providers.base import Adapter, Capabilities

T = TypeVar("T")

# Webhooks by hand: of a type that nobody knows, of somebody else's account, of the other mode.
Odd = Literal["unknown", "foreign", "live"]
WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook as it came. Names of headers in lower case."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Traits:
    """Where providers differ and the interface allows it."""

    finds_orders: bool = True  # else the same key gives the same order
    captures_by_itself: bool = True  # an automatic capture follows the buyer's payment
    repeats_captures: bool = True  # the same key again is answered with the capture, not refused
    has_disputes: bool = True
    withdraws_at_once: bool = True  # a chargeback takes the money when it is opened, not when it is lost
    fails_refunds_later: bool = True  # after it said that they succeeded
    has_odd_webhooks: tuple[Odd, ...] = ("unknown", "foreign")


class Driver(Protocol):
    """One provider under contract. `…_call`: what fault rules call these calls."""

    name: str
    currency: str
    capabilities: Capabilities
    traits: Traits
    page_setting: str  # dotted name of the adapter's page size
    unknown_order: str  # an id of the right form that nobody has
    unknown_charge: str
    create_call: str
    capture_call: str
    refund_call: str

    @classmethod
    def running(cls, folder: Path) -> AbstractContextManager["Driver"]: ...

    def adapter(self) -> Adapter: ...

    def pay(self, provider_order_id: str, outcome: Literal["success", "declined"] = "success") -> object:
        """A buyer's try; only an approval where the capture is ours."""
        ...

    def refund_elsewhere(self, charge_id: str, amount: int, currency: str) -> None:
        """A person in the provider's dashboard."""
        ...

    def fail_refund(self, refund_id: str) -> None: ...

    def dispute(self, charge_id: str) -> str:
        """A chargeback over all of it; its id."""
        ...

    def decide(self, dispute_id: str, *, won: bool) -> None: ...

    def pay_out(self) -> None: ...

    def faults(self, call: str, **effects: object) -> None: ...

    def no_faults(self) -> None: ...

    def heard(self, text: str) -> list[Delivery]:
        """The webhooks so far whose body names this id."""
        ...

    def send_odd(self, kind: Odd) -> None:
        """A webhook whose signature is good and whose content is not ours to act on, naming `kind`."""
        ...


Scenario = Callable[[Adapter, Driver], Awaitable[None]]
Needs = Callable[[Capabilities, Traits], bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """One scenario and which providers it is for."""

    run: Scenario
    needs: Needs

    @property
    def name(self) -> str:
        return self.run.__name__


SCENARIOS: list[Listed] = []


def scenario(needs: Needs = lambda _capabilities, _traits: True) -> Callable[[Scenario], Scenario]:
    """Puts a scenario into the contract, for every provider of which `needs` is true."""

    def listed(run: Scenario) -> Scenario:
        SCENARIOS.append(Listed(run, needs))
        return run

    return listed


async def until(look: Callable[[], Awaitable[T]], what: str) -> T:
    """The first true answer."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while not (found := await look()):
        assert loop.time() < deadline, f"{what}: not within {WITHIN_S:g} s; last seen {found!r}"
        await asyncio.sleep(0.02)
    return found


async def all_of(listed: AsyncIterator[T]) -> list[T]:
    return [each async for each in listed]
