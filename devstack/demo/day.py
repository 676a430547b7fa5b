"""The day itself, told while it happens, and the verdict."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from devstack.demo.books import Books, read
from devstack.demo.shopper import Order, Shopper
from devstack.stack import Stack

REST_S = 90.0  # for everything to come to rest; schedules run 60 times faster
HOSTILE = 12  # orders of the hostile hour
IN_FLIGHT = 10  # orders under way when a service is killed


def run(stack: Stack) -> bool:
    """Plays the day, prints what happened and whether every book agrees. False when one does not."""
    return asyncio.run(_run(stack))


async def _run(stack: Stack) -> bool:
    console = Console()
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        shopper = Shopper(stack, session)
        with _progress(console) as progress:
            for title, scene in SCENES:
                task = progress.add_task(title, total=1)
                await scene(shopper, stack)
                progress.update(task, completed=1)
            task = progress.add_task("everything comes to rest", total=1)
            books = await _rest(shopper, stack, session)
            progress.update(task, completed=1)
        _story(console, shopper.orders)
        return _verdict(console, shopper.orders, books)


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


# --- the scenes -----------------------------------------------------------------------------------------


async def _plain(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("paid at once"))
    await shopper.verify(order, await shopper.pay(order, method="card", outcome="success"))


async def _silent_buyer(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("browser closed after paying"))
    await shopper.pay(order, method="upi", outcome="success")


async def _declined_then_paid(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("declined, tried again"))
    await shopper.pay(order, method="card", outcome="declined", reason="card_declined")
    await shopper.open(order)
    await shopper.verify(order, await shopper.pay(order, method="card", outcome="success"))


async def _cancelled(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("cancelled by the shop", expected="failed"))
    await shopper.cancel(order)


async def _lost_answer(shopper: Shopper, _stack: Stack) -> None:
    await _faults(shopper, api=[{"path": "POST /v1/orders", "next": [{"do": "act_then_drop", "times": 1}]}])
    order = await shopper.open(await shopper.order("the provider's answer was lost"))
    await shopper.verify(order, await shopper.pay(order, method="card", outcome="success"))
    await shopper.simulator("DELETE", "/faults")


async def _no_webhook(shopper: Shopper, _stack: Stack) -> None:
    await _faults(shopper, webhooks={"drop": 1.0})
    order = await shopper.open(await shopper.order("no webhook ever came"))
    await shopper.pay(order, method="card", outcome="success")
    await _until_paid(shopper, order)
    await shopper.simulator("DELETE", "/faults")


async def _late(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.order("paid after it was cancelled", flags=("late_success",))
    await shopper.open(order)
    await shopper.cancel(order)
    await shopper.pay(order, method="card", outcome="success")


async def _twice(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("charged twice by the bank", flags=("duplicate_capture",)))
    await shopper.verify(order, await shopper.pay(order, method="card", outcome="success"))
    await shopper.pay(order, method="card", outcome="success", force=True)


async def _forged(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("a stranger forged webhooks", expected="pending_payment"))
    statuses = [await shopper.forge(order, signed=signed) for signed in (True, False)]
    if statuses != [400, 400]:
        raise RuntimeError(f"forged webhooks were answered {statuses}, not 400")


async def _hostile(shopper: Shopper, _stack: Stack) -> None:
    await _faults(
        shopper,
        webhooks={"duplicate": 0.5, "copies": 2, "delay_s": [0, 2], "reorder": 0.5, "drop": 0.15},
        api=[{"path": "POST /v1/orders", "act_then_drop": 0.2, "status_500_html": 0.1, "status_502": 0.1}],
    )
    await asyncio.gather(*(_bought(shopper, "in the hostile hour") for _ in range(HOSTILE)))
    await shopper.simulator("DELETE", "/faults")


async def _killed(shopper: Shopper, stack: Stack) -> None:
    """A kill -9 to payments and gateway while buyers pay; the supervisor brings them back."""
    buyers = [
        asyncio.create_task(_bought(shopper, "a service was killed meanwhile")) for _ in range(IN_FLIGHT)
    ]
    await asyncio.sleep(0.3)
    for name in ("payments", "gateway"):
        await asyncio.to_thread(stack.kill, name)
    await asyncio.gather(*buyers)


async def _bought(shopper: Shopper, story: str) -> None:
    order = await shopper.open(await shopper.order(story))
    await shopper.verify(order, await shopper.pay(order, method="card", outcome="success"))


async def _faults(shopper: Shopper, **faults: object) -> None:
    await shopper.simulator("PUT", "/faults", {"seed": 7, "draw_by": "order", **faults})


async def _until_paid(shopper: Shopper, order: Order) -> None:
    deadline = asyncio.get_running_loop().time() + REST_S
    while (await shopper.read(order))["status"] != "paid":
        if asyncio.get_running_loop().time() > deadline:
            raise RuntimeError(f"{order.order_id} ({order.story}) did not become paid: {order.status}")
        await asyncio.sleep(0.2)


SCENES: tuple[tuple[str, Callable[[Shopper, Stack], Awaitable[None]]], ...] = (
    ("a buyer pays by card", _plain),
    ("a buyer pays and closes the browser", _silent_buyer),
    ("a card is declined, the buyer tries again", _declined_then_paid),
    ("the shop cancels an order", _cancelled),
    ("the provider's answer gets lost after it acted", _lost_answer),
    ("no webhook ever comes", _no_webhook),
    ("money arrives after the order was cancelled", _late),
    ("the bank charges twice", _twice),
    ("a stranger forges webhooks", _forged),
    ("a hostile hour: doubled, delayed, reordered, dropped, lost", _hostile),
    ("kill -9 to payments and gateway while buyers pay", _killed),
)


# --- the verdict ------------------------------------------------------------------------------------------


async def _rest(shopper: Shopper, stack: Stack, session: aiohttp.ClientSession) -> Books:
    """Waits until every order is where it belongs and every mail has left, or until time is over."""
    deadline = asyncio.get_running_loop().time() + REST_S
    while True:
        await asyncio.gather(*(shopper.read(order) for order in shopper.orders))
        books = await read(stack, session)
        settled = all(o.status["status"] == o.expected for o in shopper.orders)
        if (settled and not _wrong(shopper.orders, books)) or asyncio.get_running_loop().time() > deadline:
            return books
        await asyncio.sleep(0.5)


Check = tuple[str, list[str]]  # what must hold, and the orders for which it does not


def checks(orders: list[Order], books: Books) -> list[Check]:
    """Each invariant with its violations; docs/invariants.md says what the ids mean."""
    paid = [o for o in orders if o.status["status"] == "paid"]
    mails = Counter(address for mail in books.mails for address in mail["recipients"])
    flagged = {
        o.order_id: {e["data"]["reason"] for e in books.of(o.order_id, "payment_flagged")} for o in orders
    }
    return [
        (
            "every order ended as its story says",
            [f"{o.order_id} is {o.status['status']}" for o in orders if o.status["status"] != o.expected],
        ),
        (
            "S1 captured once, or the second capture is flagged",
            [
                o.order_id
                for o in orders
                if books.captures[o.provider_order_id] > 1 and "duplicate_capture" not in flagged[o.order_id]
            ],
        ),
        (
            "S2 every paid order has its capture at the provider",
            [o.order_id for o in paid if books.captures[o.provider_order_id] == 0],
        ),
        (
            "S3 every capture at the provider is a paid order",
            [o.order_id for o in orders if books.captures[o.provider_order_id] and o not in paid],
        ),
        (
            "S4 amounts agree to the last minor unit",
            [
                o.order_id
                for o in paid
                if books.captured_amount.get(o.provider_order_id) != o.status["amounts"]["captured"]
            ],
        ),
        (
            "S7 PaymentPaid once per paid order, no event left behind",
            [o.order_id for o in orders if len(books.of(o.order_id, "payment_paid")) != (o in paid)]
            + (["outbox"] * books.pending),
        ),
        (
            "S13 one mail per paid order, none for the others",
            [o.order_id for o in orders if mails[o.email] != (o in paid)],
        ),
        (
            "S24 one provider order per attempt",
            [reference for reference, count in books.provider_orders.items() if count > 1],
        ),
        (
            "what no rule can decide is flagged for a person",
            [o.order_id for o in orders if not set(o.flags) <= flagged[o.order_id]],
        ),
        ("nothing was parked", ["parked"] * books.parked),
        ("the faults really struck", [] if books.bites else ["no fault bit"]),
    ]


def _wrong(orders: list[Order], books: Books) -> bool:
    return any(violations for _, violations in checks(orders, books))


def _story(console: Console, orders: list[Order]) -> None:
    table = Table(title="The day", title_justify="left")
    for column in ("orders", "what happened", "status", "flags"):
        table.add_column(column, justify="right" if column == "orders" else "left")
    rows = Counter((o.story, o.status["status"], ", ".join(o.flags)) for o in orders)
    for (story, status, flags), count in rows.items():
        table.add_row(str(count), story, status, flags)
    console.print(table)


def _verdict(console: Console, orders: list[Order], books: Books) -> bool:
    table = Table(title="The books", title_justify="left")
    table.add_column("what must hold")
    table.add_column("violations", justify="right")
    for what, violations in checks(orders, books):
        shown = ", ".join(violations[:5])
        table.add_row(what, f"[red]{len(violations)}: {shown}[/]" if violations else "[green]0[/]")
    console.print(table)
    good = not _wrong(orders, books)
    captured = sum(books.captured_amount.values())
    console.print(
        f"{len(orders)} orders, {sum(books.captures.values())} captures over {captured / 100:,.2f} INR, "
        f"{len(books.events)} events, {len(books.mails)} mails, {books.bites} faults struck: "
        + ("[green]every book agrees[/]" if good else "[red]the books differ[/]")
    )
    return good
