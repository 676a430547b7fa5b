"""The day ends as every day does: compared with all three providers, and told on a page."""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from rich import box
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from devstack.demo.books import Books
from devstack.demo.checks import Check
from devstack.demo.evening import Difference
from devstack.demo.shopper import PROVIDERS, Order
from devstack.services import ROOT
from devstack.stack import Stack

Json = dict[str, Any]

RUN_S = 60  # for one provider's run; PayPal's report is ten seconds late here
MENDED_S = 60.0  # for repairs to be seen: compared again after 0.2, 1, 10 and 60 s here
_COMPARED = "the books are compared with {}'s"
DIFFERS = 1  # exit code of the command when something differs


@dataclass(frozen=True)
class Reconciled:
    """What the reconciler says of the day, and where its page is."""

    money: list[Json]
    mismatches: list[Json]
    page: Path


class Reconciliation:
    """Asks for the runs of one window, watches them, and reads the day's page as a finance person would."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession, since: datetime) -> None:
        self._stack = stack
        self._session = session
        self._since = since
        self._until = since

    async def run(self, progress: Progress) -> None:
        """All three providers at once; the window ends now."""
        self._until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        await asyncio.sleep((self._until - datetime.now(UTC)).total_seconds())
        lines = {
            p: progress.add_task(f"{_COMPARED.format(p)}, once our own are complete", total=1)
            for p in PROVIDERS
        }
        await asyncio.gather(*(self._compare(p, progress, line) for p, line in lines.items()))

    async def _compare(self, provider: str, progress: Progress, line: TaskID) -> None:
        window = [f"{at:%Y-%m-%dT%H:%M:%S}" for at in (self._since, self._until)]
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.reconciler", "reconcile", "--provider", provider),
            *("--from", window[0], "--to", window[1], "--wait", str(RUN_S)),
            cwd=ROOT,
            env=self._stack.wiring.service_env("reconciler"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await command.communicate()
        if command.returncode not in (0, DIFFERS):
            raise RuntimeError(f"reconcile {provider}: {wrong.decode()[-500:]}")
        result = said.decode().strip().splitlines()[-1]
        progress.update(line, completed=1, description=f"{_COMPARED.format(provider)}: {result}")

    async def mended(self, hidden: list[Difference]) -> None:
        """Returns once all that can mend by itself has, or when the time is over: the verdict will say."""
        wanted = {d.subject for d in hidden if d.mends}
        deadline = asyncio.get_running_loop().time() + MENDED_S
        while asyncio.get_running_loop().time() < deadline:
            found = (await self._period())["mismatches"]
            if wanted <= {m["subject"] for m in found if m["status"] == "resolved"}:
                return
            await asyncio.sleep(0.3)

    async def read(self) -> Reconciled:
        found = await self._period()
        return Reconciled(found["money"], found["mismatches"], await self._page())

    async def _period(self) -> Json:
        """One day, two when midnight (UTC) came in between."""
        async with self._ask("") as answer:
            found: Json = await answer.json()
        return found

    async def _page(self) -> Path:
        path = self._stack.wiring.data_dir / f"reconciliation-{self._until.date()}.html"
        async with self._ask(".html") as answer:
            path.write_text(await answer.text())
        return path

    def _ask(self, form: str) -> Any:
        key = {"Authorization": f"Bearer {self._stack.wiring.secrets['shop_api_key']}"}
        days = f"{self._since.date()}..{self._until.date()}"
        url = f"{self._stack.wiring.reconciler_url}/api/reconciliation/{days}{form}"
        return self._session.get(url, headers=key, raise_for_status=True)


def tell(console: Console, found: Reconciled, hidden: list[Difference]) -> None:
    """The money of each provider, and every difference with what became of it."""
    _money(console, found)
    stories = {d.subject: d.story for d in hidden}
    table = Table(title="What differed, and what became of it", title_justify="left")
    for column in ("provider", "what", "kind", "amount", "now"):
        table.add_column(column, justify="right" if column == "amount" else "left")
    for one in sorted(found.mismatches, key=lambda m: (m["status"], m["provider"], m["kind"])):
        ended = one["status"] == "resolved"
        state = "[green]agrees again[/]: mended by itself" if ended else f"[yellow]open[/]: {one['repair']}"
        story, amount = stories.get(one["subject"], one["subject"]), f"{one['amount'] / 100:,.2f}"
        table.add_row(one["provider"], story, one["kind"], f"{amount} {one['currency']}", state)
    console.print(table)
    console.print(f"the page of the day: {found.page}", soft_wrap=True)


def _money(console: Console, found: Reconciled) -> None:
    columns = ("captured", "refunded", "disputed", "fees", "settled", "remaining", "waiting", "unexplained")
    table = Table(title="The reconciliation", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in (*columns, "explained"):
        table.add_column(column, justify="right")
    for row in found.money:
        figures = row["figures"]
        amounts = [f"{_figure(row, name) / 100:,.2f}" for name in columns]
        share = f"{figures.get('explained', 1.0):.2%}"
        table.add_row(f"{row['provider']} {figures['currency']}", *amounts, share)
    console.print(table)


def checks(found: Reconciled, hidden: list[Difference], orders: list[Order], books: Books) -> list[Check]:
    """What must hold of the reconciliation."""
    seen = {(m["kind"], m["provider"], m["subject"]): m for m in found.mismatches}
    real = {(d.kind, d.provider, d.subject): d for d in hidden}
    return [
        ("S15 the reconciler finds what differs, all of it and nothing else", [
            *(f"missed: {key}" for key in real.keys() - seen.keys()),
            *(f"invented: {key}" for key in seen.keys() - real.keys()),
        ]),
        ("what is safe is mended by itself, the rest waits for a person", [
            f"{m['kind']} {m['subject']} is {m['status']}"
            for key, m in seen.items()
            if key in real and (m["status"] == "resolved") != real[key].mends
        ]),
        ("S26 its figures are the providers' own, to the last minor unit", _sums(found, orders, books)),
        ("S26 all money is explained, but what the open differences name", [
            f"{row['provider']} {_figure(row, 'unexplained')}, not {expected}"
            for row in found.money
            if _figure(row, "unexplained") != (expected := _open(found, row))
        ]),
    ]  # fmt: skip


def _figure(row: Json, name: str) -> int:
    """Zeros are left out of the answer."""
    return int(row["figures"].get(name, 0))


def _open(found: Reconciled, row: Json) -> int:
    """The money in the open differences of one provider and currency on one day."""
    currency, day = row["figures"]["currency"], row["figures"]["day"]
    return sum(
        m["amount"]
        for m in found.mismatches
        if (m["provider"], m["currency"], m["status"]) == (row["provider"], currency, "open")
        and m["at"].startswith(day)
    )


def _sums(found: Reconciled, orders: list[Order], books: Books) -> list[str]:
    """(captured, refunded, disputed) of each provider: what the reconciler adds up, and its own ledger."""
    names = ("captured", "refunded", "disputed")
    ours: dict[str, Counter[str]] = {p: Counter() for p in PROVIDERS}
    theirs: dict[str, Counter[str]] = {p: Counter() for p in PROVIDERS}
    for row in found.money:
        ours[row["provider"]].update({name: _figure(row, name) for name in names})
    for taken in (t for order in orders for t in books.taken_for(order.order_id)):
        theirs[taken.provider].update(
            {"captured": taken.amount, "refunded": taken.refunded, "disputed": taken.disputed}
        )
    return [f"{p} {dict(ours[p])}, not {dict(theirs[p])}" for p in PROVIDERS if ours[p] != theirs[p]]
