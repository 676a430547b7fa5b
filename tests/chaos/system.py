"""A whole system of real processes, hurt on purpose; and how to know when it has come to rest."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
from aiokafka.errors import KafkaError

from devstack.options import Options
from devstack.ports import free_base
from devstack.stack import Stack
from tests.chaos.calls import Shop
from tests.chaos.checker.check import check
from tests.chaos.checker.evidence import Evidence, Operation, Position
from tests.chaos.checker.read_databases import SERVICES, read_archived, read_databases
from tests.chaos.checker.read_ledger import read_ledger
from tests.chaos.checker.read_mails import read_mails
from tests.chaos.checker.read_topics import read_positions, read_topics
from tests.chaos.checker.verdict import Verdict
from tests.chaos.wish import PROVIDERS
from tests.servers import QUIET_CONSUMERS

QUIET_WITHIN_S = 60.0  # the longest lease, several times
SETTINGS = {
    # Many buyers behind one address is a load generator's privilege.
    "GATEWAY_LIMITS__CLIENT_PER_MINUTE": "0",
    "GATEWAY_LIMITS__ORDER_PER_MINUTE": "0",
    **QUIET_CONSUMERS,
}
# What died with a call in hand leaves it to others this soon, not after half a minute: calls to the simulator
# and the mailbox take far less than what is left of it. Not where one death follows the other: who finds
# such a task at every start dies before its first batch, and that is parked.
SHORT_LEASES = {"PAYMENTS_LEASE_S": "12", "NOTIFIER_LEASE_S": "15", "RECONCILER_LEASE_S": "12"}

_UNSETTLED = """
    SELECT (SELECT count(*) FROM {service}.outbox_pending) AS unpublished,
           (SELECT count(*) FROM {service}.tasks
            WHERE closed_at IS NULL AND (due_at <= now() OR lease_until IS NOT NULL)) AS due"""
_MONEY = """
    SELECT (SELECT count(*) FROM payments.charges WHERE state = 'captured') AS captured,
           (SELECT count(*) FROM payments.payments WHERE paid_at IS NOT NULL) AS paid,
           (SELECT count(*) FROM payments.refunds WHERE state IN ('requested', 'pending')) AS refunding,
           (SELECT count(*) FROM payments.refunds r JOIN payments.charges c USING (provider, charge_id)
            WHERE r.state = 'succeeded' AND c.state = 'captured') AS refunded,
           (SELECT count(*) FROM notifier.mails WHERE state = 'sent') AS mails"""


async def eventually(
    look: Callable[[], Awaitable[str]], *, within_s: float, what: str, every_s: float = 0.2
) -> None:
    """Returns when ``look`` finds nothing missing; an AssertionError with what is missing when that has not
    changed for so long, or after five times as long: a busy machine is slow and still gets there.
    """
    missing, said = "", "not looked at"
    began = changed = time.monotonic()
    while True:
        with suppress(
            OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, aiohttp.ClientError
        ):
            missing = await look()
            if not missing:
                return
        now = time.monotonic()
        said, changed = missing, now if missing != said else changed
        if now - changed > within_s or now - began > 5 * within_s:
            raise AssertionError(f"{what}: not after {now - began:.0f} s: {missing}")
        await asyncio.sleep(every_s)


@dataclass
class System:
    """One stack and everything that was done to it."""

    stack: Stack
    history: list[Operation] = field(default_factory=list)
    kills: int = 0
    mails_repeated_max: int = 0
    repeated: Counter[str] = field(default_factory=Counter)  # as `outcome.done_again` last saw it

    # --- parts --------------------------------------------------------------------------------------------

    @property
    def shop(self) -> Shop:
        wiring = self.stack.wiring
        return Shop(wiring.gateway_url, wiring.simulator_url, wiring.secrets["shop_api_key"])

    @property
    def data(self) -> Path:
        return self.stack.folder.path

    @property
    def bootstrap(self) -> str:
        return self.stack.wiring.bootstrap

    async def start(self, service: str, instance: int = 1, **settings: str) -> str:
        """(Re)starts one instance with these settings besides its usual ones; its name, when it is ready."""
        env = {f"{service.upper()}_{name}": value for name, value in settings.items()}
        return await asyncio.to_thread(self.stack.start_service, service, instance, env)

    async def kill(self, name: str) -> None:
        """SIGKILL, as if the power went."""
        assert self.stack.alive(name), f"{name} is dead already"
        await asyncio.to_thread(self.stack.kill, name)
        assert self.stack.process(name).exit_code == -9
        self.kills += 1

    async def revive(self, *names: str) -> None:
        """Running and ready again, one after the other, with the settings they had."""
        for name in names:
            await asyncio.to_thread(self.stack.restart, name)

    async def dies_at(self, name: str, failpoint: str, within_s: float = 60.0) -> None:
        """Returns when the failpoint has killed this process: by SIGKILL, and it said where."""

        async def look() -> str:
            return f"{name} lives" if self.stack.alive(name) else ""

        await eventually(look, within_s=within_s, what=f"{name} dies at {failpoint}", every_s=0.01)
        process = self.stack.process(name)
        assert process.exit_code == -9, f"exit code {process.exit_code}: {process.last_words(3)}"
        assert f"failpoint {failpoint}: SIGKILL" in process.last_words(40)
        self.kills += 1

    async def freezes_at(self, name: str, failpoint: str, within_s: float = 60.0) -> None:
        """Returns when the failpoint has stopped this process: it lives, holds all it held, and is silent."""
        pid = self.stack.process(name).pid
        assert pid is not None

        async def look() -> str:
            status = psutil.Process(pid).status()
            return "" if status == psutil.STATUS_STOPPED else f"{name} is {status}"

        await eventually(look, within_s=within_s, what=f"{name} freezes at {failpoint}", every_s=0.01)
        assert f"failpoint {failpoint}: SIGSTOP" in self.stack.process(name).last_words(40)

    async def unready(self, name: str, within_s: float = 30.0) -> None:
        """Returns when the process lives and says that it cannot work."""

        async def look() -> str:
            ready = await asyncio.to_thread(self.stack.is_ready, name)
            return f"{name} says it is ready" if ready or not self.stack.alive(name) else ""

        await eventually(look, within_s=within_s, what=f"{name} notices")

    async def took_over(self, name: str, lease: str, groups: list[str], within_s: float = 30.0) -> None:
        """Returns when this instance holds the lease, and every partition of the groups has moved on."""
        service, _, instance = name.partition("-")
        begun = {(p.group, p.partition): p.end for p in await read_positions(self.bootstrap)}

        async def look() -> str:
            owners = await self.sql(f"SELECT owner FROM {service}.leases WHERE name = $1", lease)
            if not owners[0]["owner"].startswith(f"{service}-{instance}/"):
                return f"{lease} is with {owners[0]['owner']}"
            behind = [
                (p.group, p.partition)
                for p in await read_positions(self.bootstrap)
                if p.group in groups and p.committed < begun[p.group, p.partition]
            ]
            return f"{behind} have not moved" if behind else ""

        await eventually(look, within_s=within_s, what=f"{name} takes over")

    def take_kills(self) -> int:
        """The kills since this was asked last."""
        kills, self.kills = self.kills, 0
        return kills

    # --- questions ----------------------------------------------------------------------------------------

    @property
    def database_url(self) -> str:
        return self.stack.wiring.database.url("postgres", driver="postgresql")

    async def sql(self, statement: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def value(self, statement: str, *arguments: object) -> Any:
        return (await self.sql(statement, *arguments))[0][0]

    async def simulator(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.stack.wiring.simulator_url}{path}", json=body) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json()

    async def story(self, order_id: str) -> str:
        """What an operator is told about this order: `paystream payment show`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "paystream", "payment", "show", order_id),
            env=self.stack.wiring.service_env("payments") | {"COLUMNS": "160"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return (await process.communicate())[0].decode()

    # --- rest ---------------------------------------------------------------------------------------------

    async def quiet(self, within_s: float = QUIET_WITHIN_S) -> None:
        """Returns when nothing waits any more: no message, no task, no webhook, no money, no mail."""
        await eventually(self._missing, within_s=within_s, what="the system comes to rest", every_s=0.5)

    async def _missing(self) -> str:
        for service in SERVICES:
            row = (await self.sql(_UNSETTLED.format(service=service)))[0]
            if any(row.values()):
                return f"{service}: {dict(row)}"
        totals = (await self.simulator("GET", "/_sim/ledger?limit=1"))["totals"]
        if pending := totals["webhooks"].get("pending", 0):
            return f"{pending} webhooks are on their way"
        money = (await self.sql(_MONEY))[0]
        captures = sum(totals[provider]["captures"] for provider in PROVIDERS)
        if money["captured"] < captures:
            return f"{captures} captures, {money['captured']} known"
        if money["refunding"]:
            return f"{money['refunding']} refunds have not ended"
        if money["mails"] < money["paid"] + money["refunded"]:
            return f"{money['paid']} paid, {money['refunded']} refunds, {money['mails']} mails"
        lags = [(p.group, p.end - p.committed) for p in await read_positions(self.bootstrap)]
        return f"lag: {behind[:3]}" if (behind := [lag for lag in lags if lag[1]]) else ""

    async def evidence(self) -> Evidence:
        """All sources, read from outside, in the order that the checks rely on."""
        positions: tuple[Position, ...] = ()

        async def without_lag() -> str:  # checkpoints go on being published
            nonlocal positions
            positions = await read_positions(self.bootstrap)
            return ", ".join(p.group for p in positions if p.committed < p.end)

        ledger = await asyncio.to_thread(read_ledger, self.data / "simulator" / "ledger.jsonl")
        await eventually(without_lag, within_s=10, what="all is read")
        return Evidence(
            ledger=ledger,
            positions=positions,
            books=await read_databases(self.database_url),
            topics=await read_topics(self.bootstrap),
            archived=await read_archived(self.database_url),
            mails=await asyncio.to_thread(read_mails, self.data / "mailbox"),
            history=tuple(self.history),
            mails_repeated_max=self.mails_repeated_max,
        )

    async def verdict(self) -> tuple[Evidence, Verdict]:
        evidence = await self.evidence()
        return evidence, await asyncio.to_thread(check, evidence)


@contextmanager
def running(
    folder: Path, *, time_scale: float, seed: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[System]:
    """A fresh system on ports of its own; nothing of it is left afterwards."""
    options = Options(
        folder, free_base(), time_scale=time_scale, seed=seed, service_env={**SETTINGS, **(env or {})}
    )
    with Stack(options) as stack:
        yield System(stack)
