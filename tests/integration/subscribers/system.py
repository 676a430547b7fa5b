"""A notifier and a reconciler on one `payments.events`, and everything that they were told."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

import aiohttp
from aiokafka.errors import KafkaError

from devstack.ports import free_ports
from services.reconciler.domain.runs import begins
from shared.envelope import Envelope, encode, now_utc
from shared.errors import OutcomeUnknown, Unavailable
from shared.kafka import TOPICS, Topic
from shared.messages.base import Message, wrap
from shared.messages.notifier import ResendDocument
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentPaid
from shared.messages.reconciler import RunReconciliation
from tests.chaos.checker.evidence import Position
from tests.chaos.checker.read_topics import read_positions
from tests.contract.simulator.running import ACCOUNT_ID, Simulator
from tests.integration.notifier import messages
from tests.integration.notifier.sink import Sink
from tests.integration.notifier.system import System as Notifier
from tests.integration.notifier.system import eventually
from tests.integration.reconciler.system import System as Reconciler
from tests.integration.reconciler.system import after, charge
from tests.integration.reconciler.test_day import Bought, buy, id_of
from tests.own_engines import Engines
from tests.servers import new_database

AMOUNT = 49_900  # of every order here
LEASE_S = "600"  # the processes live: none of their tasks may have to wait until a lease ends
SERVICES = ("notifier", "reconciler")
GROUPS = {
    "notifier.orders.events": "orders.events",
    "notifier.payments.events": "payments.events",
    "notifier.notifier.commands": "notifier.commands",
    "reconciler.payments.events": "payments.events",
    "reconciler.reconciler.commands": "reconciler.commands",
}
_OWNERS = {"orders": "orders.events", "payments": "payments.events"}
_orders = count(1)


@dataclass
class Expected:
    """What has to come of all that was told, each counted once."""

    receipts: set[str] = field(default_factory=set)  # orders
    resent: Counter[str] = field(default_factory=Counter)  # mails more, by order
    opened: set[str] = field(default_factory=set)  # mismatches
    ended: dict[str, str] = field(default_factory=dict)  # mismatches and how
    charges: set[str] = field(default_factory=set)  # captured, as we were told
    looks: set[str] = field(default_factory=set)  # orders that payments is to look at again
    runs: int = 0
    parked: Counter[tuple[str, bytes]] = field(default_factory=Counter)  # consumer and body


class Both:
    """`async with Both(...)`: both services are ready; whatever they sent is counted against `expected`."""

    def __init__(self, engines: Engines, simulator: Simulator) -> None:
        self.engines = engines
        self.simulator = simulator
        urls = new_database(engines.postgres.server)
        self.sink = Sink(free_ports(1)[0])
        leases = {f"{service.upper()}_LEASE_S": LEASE_S for service in SERVICES}
        self.notifier = Notifier(urls, engines.kafka.bootstrap, "", self.sink, more=leases)
        self.reconciler = Reconciler(urls, engines.kafka.bootstrap, "", simulator.base, more=leases)
        self.expected = Expected()
        self.day = now_utc().date()

    async def __aenter__(self) -> Self:
        await self.notifier.open()
        await self.reconciler.open()
        self.day = self.bought().day
        await self.reconciler.complete_until(after(self.day))
        await asyncio.gather(self.reconciler.start(), self.notifier.start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reconciler.close()
        await self.notifier.close()

    # --- what goes in -------------------------------------------------------------------------------------

    def bought(self) -> Bought:
        """A payment at the provider of which nobody has told us yet: a mismatch until somebody does."""
        bought = buy(self.simulator, AMOUNT)
        self.expected.opened.add(id_of("missing_local", bought.charge_id))
        return bought

    def order(self) -> str:
        return f"o-{next(_orders)}"

    def placed(self, order_id: str) -> Envelope:
        """The order's content; with `paid` it makes one receipt."""
        self.expected.receipts.add(order_id)
        return messages.envelope(messages.placed(order_id, amount=AMOUNT))

    def paid(self, order_id: str, bought: Bought | None = None, **changes: Any) -> PaymentPaid:
        """Paid with this purchase, which then is one that we know; without, nothing for the books."""
        if bought is None:
            return messages.paid(order_id, amount=AMOUNT, **changes)
        self.expected.ended[id_of("missing_local", bought.charge_id)] = "agreed"
        return self.charged(order_id, bought.charge_id, bought.provider_order_id, **changes)

    def phantom(self, order_id: str) -> PaymentPaid:
        """Paid with a charge that the provider does not know: a mismatch, and one look at the order."""
        charge_id = f"pay_Phantom{order_id}"
        self.expected.opened.add(id_of("missing_provider", charge_id))
        self.expected.looks.add(order_id)
        return self.charged(order_id, charge_id, f"order_Phantom{order_id}")

    def charged(self, order_id: str, charge_id: str, provider_order_id: str, **changes: Any) -> PaymentPaid:
        self.expected.charges.add(charge_id)
        view = charge(charge_id, provider_order_id, amount=AMOUNT)
        known = {
            "amount": AMOUNT,
            "account": ACCOUNT_ID,
            "provider_order_id": provider_order_id,
            "charge_id": charge_id,
            "charges": (view,),
        }
        return messages.paid(order_id, **known | changes)

    def run(self) -> Envelope:
        """A request to reconcile the day."""
        command = RunReconciliation(provider="razorpay", day=self.day)
        return wrapped(command, f"razorpay/{begins(self.day).isoformat()}")

    def resend(self, order_id: str, nonce: str) -> Envelope:
        command = ResendDocument(
            order_id=order_id, kind="receipt", subject=f"payment-{order_id}", nonce=nonce, person="kiran"
        )
        return wrapped(command, order_id)

    async def tell(self, *told: Envelope | OrderPlaced | PaymentPaid) -> None:
        """Each until Kafka has acknowledged it: one that was in flight when Kafka died may be there twice."""
        for one in told:
            message = one if isinstance(one, Envelope) else messages.envelope(one)
            await self.send(_topic(message), message.subject.encode(), encode(message))

    async def send(self, topic: Topic, key: bytes, value: bytes) -> None:
        async def sent() -> bool:
            try:
                await self.notifier.publisher.send(topic, key, value)
            except (Unavailable, OutcomeUnknown):
                return False
            return True

        await eventually(sent, 60)

    async def reconciled(self) -> None:
        """One run of the day, begun and ended."""
        await self.tell(self.run())
        await self.run_ended()

    async def run_ended(self) -> None:
        self.expected.runs += 1

        async def ended() -> bool:
            day = await self.reconciler.rows(f"SELECT number, open FROM runs WHERE since = '{self.day}'")
            return day == [{"number": self.expected.runs, "open": False}]

        await eventually(ended, 60)

    async def in_the_book(self, order_ids: Iterable[str]) -> None:
        wanted = set(order_ids)

        async def known() -> bool:
            rows = await self.reconciler.rows("SELECT order_id FROM orders")
            return wanted <= {row["order_id"] for row in rows}

        await eventually(known, 30)

    def alive(self) -> bool:
        """Both are the processes that were started."""
        processes = [*self.notifier.running, self.reconciler.process]
        return [p.poll() for p in processes if p is not None] == [None, None]

    # --- how they are -------------------------------------------------------------------------------------

    @property
    def ops(self) -> dict[str, int]:
        return {"notifier": self.notifier.ops_port, "reconciler": self.reconciler.ops_port}

    async def get(self, service: str, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.ops[service]}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def ready(self, *, wanted: bool = True) -> None:
        """Both say that they are ready, or both that they are not."""

        async def both_say() -> bool:
            return all([((await self.get(s, "/health/ready"))[0] == 200) is wanted for s in SERVICES])

        await eventually(both_say, 40)

    async def metric(self, service: str, name: str, *labels: str) -> float:
        lines = (await self.get(service, "/metrics"))[1].splitlines()
        wanted = [line for line in lines if line.startswith(name) and all(label in line for label in labels)]
        return sum(float(line.rpartition(" ")[2]) for line in wanted)

    async def positions(self) -> tuple[Position, ...]:
        return await read_positions(self.engines.kafka.bootstrap, GROUPS)

    async def quiet(self) -> None:
        """Nothing waits any more, in either."""

        async def at_rest() -> bool:
            for service in SERVICES:
                (row,) = await self.reconciler.rows(_WAITING.format(service=service))
                if any(row.values()):
                    return False
            try:
                return not any(p.end - p.committed for p in await self.positions())
            except (KafkaError, TimeoutError):
                return False

        await eventually(at_rest, 60)


_WAITING = """
    SELECT (SELECT count(*) FROM {service}.outbox_pending) AS unpublished,
           (SELECT count(*) FROM {service}.starts) AS begun,
           (SELECT count(*) FROM {service}.tasks
            WHERE closed_at IS NULL AND (due_at <= now() OR lease_until IS NOT NULL)) AS due"""


def wrapped(command: Message, subject: str) -> Envelope:
    """As a person's tool sends it."""
    return wrap(command, source="test", subject=subject, time=datetime.now(UTC))


def _topic(message: Envelope) -> Topic:
    owner = message.type.partition(".")[0]
    return TOPICS[_OWNERS.get(owner, f"{owner}.commands")]
