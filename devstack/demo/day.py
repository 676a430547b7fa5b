"""The day itself, told while it happens, and the verdict."""

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime

import aiohttp
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from devstack.demo import evening, reconciliation
from devstack.demo.books import Books, read
from devstack.demo.checks import Check, checks, is_right
from devstack.demo.reconciliation import Reconciliation
from devstack.demo.scenes import SCENES
from devstack.demo.shopper import Order, Shopper
from devstack.stack import Stack

REST_S = 100.0  # for everything to come to rest; schedules run 60 times faster


def run(stack: Stack) -> bool:
    """Plays the day, prints what happened and whether every book agrees. False when one does not."""
    return asyncio.run(_run(stack))


async def _run(stack: Stack) -> bool:
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a log or a pipe wraps nothing
    timeout = aiohttp.ClientTimeout(total=30)
    began = datetime.now(UTC).replace(microsecond=0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        shopper = Shopper(stack, session)
        hidden: list[evening.Difference] = []
        with _progress(console) as progress:
            for title, scene in SCENES:
                task = progress.add_task(title, total=1)
                await scene(shopper, stack)
                progress.update(task, completed=1)
            task = progress.add_task("everything comes to rest", total=1)
            await _rest(shopper, stack, session)
            progress.update(task, completed=1)
            for title, quiet in evening.SCENES:
                task = progress.add_task(title, total=1)
                hidden += await quiet(shopper, stack)
                progress.update(task, completed=1)
            await evening.pay_out(shopper)
            compared = Reconciliation(stack, session, began)
            await compared.run(progress)
            task = progress.add_task("what is safe to mend mends by itself", total=1)
            await compared.mended(hidden)
            books = await _rest(shopper, stack, session)
            progress.update(task, completed=1)
        found = await compared.read()
        _story(console, shopper.orders)
        _money(console, shopper.orders, books)
        reconciliation.tell(console, found, hidden)
        held = checks(shopper.orders, books)
        held += reconciliation.checks(found, hidden, shopper.orders, books)
        return _verdict(console, shopper.orders, books, held)


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


async def _rest(shopper: Shopper, stack: Stack, session: aiohttp.ClientSession) -> Books:
    """Waits until every order is where it belongs and every mail has left, or until time is over."""
    deadline = asyncio.get_running_loop().time() + REST_S
    while True:
        await asyncio.gather(*(shopper.read(order) for order in shopper.orders))
        books = await read(stack, session)
        if is_right(shopper.orders, books) or asyncio.get_running_loop().time() > deadline:
            return books
        await asyncio.sleep(0.5)


def _story(console: Console, orders: list[Order]) -> None:
    table = Table(title="The day", title_justify="left")
    for column in ("orders", "what happened", "with", "ended as", "flags"):
        table.add_column(column, justify="right" if column == "orders" else "left")
    rows: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for o in orders:
        rows[o.story, o.status["status"], ", ".join(o.flags)][o.provider] += 1
    for (story, status, flags), providers in rows.items():
        names = ", ".join(f"{name} {count}" if count > 1 else name for name, count in providers.items())
        table.add_row(str(providers.total()), story, names, status, flags)
    console.print(table)


def _money(console: Console, orders: list[Order], books: Books) -> None:
    """What the providers' own ledgers say beside what ours says."""
    table = Table(title="The money", title_justify="left")
    for column in ("provider", "currency", "captured", "refunded", "in or lost by disputes", "ours: captured",
                   "ours: refunded"):  # fmt: skip
        table.add_column(column, justify="left" if column in ("provider", "currency") else "right")
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for order in orders:
        for taken in books.taken_for(order.order_id):
            row = sums[taken.provider, order.currency]
            row["captured"] += taken.amount
            row["refunded"] += taken.refunded
            row["disputed"] += taken.disputed
        for charge_provider, captured, refunded in _ours(order):
            sums[charge_provider, order.currency]["ours captured"] += captured
            sums[charge_provider, order.currency]["ours refunded"] += refunded
    for (provider, currency), row in sorted(sums.items()):
        shown = ("captured", "refunded", "disputed", "ours captured", "ours refunded")
        table.add_row(provider, currency, *(f"{row[name] / 100:,.2f}" for name in shown))
    console.print(table)


def _ours(order: Order) -> list[tuple[str, int, int]]:
    """(provider, captured, refunded) as our status says; one provider captures in each story."""
    amounts = order.status["amounts"]
    return [(order.provider, amounts["captured"], amounts["refunded"])]


def _verdict(console: Console, orders: list[Order], books: Books, held: list[Check]) -> bool:
    table = Table(title="The books", title_justify="left")
    table.add_column("what must hold")
    table.add_column("violations", justify="right")
    for what, violations in held:
        shown = ", ".join(violations[:5])
        table.add_row(what, f"[red]{len(violations)}: {shown}[/]" if violations else "[green]0[/]")
    console.print(table)
    good = not any(violations for _, violations in held)
    captures = sum(len(taken) for taken in books.taken.values())
    struck = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in books.bites.most_common(6))
    console.print(
        f"{len(orders)} orders, {captures} captures, {len(books.events)} events, {len(books.mails)} mails; "
        f"{books.bites.total()} faults struck ({struck}): "
        + ("[green]every book agrees[/]" if good else "[red]the books differ[/]")
    )
    return good
