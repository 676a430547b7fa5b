"""`paystream privacy`: blanks one customer's data in every service, and says what is left until when."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from sqlalchemy import text

from services.payments.app import build
from services.payments.operate import erasing
from services.payments.operate.erasing import LEFT_ELSEWHERE, SERVICES, Left
from services.payments.personal import ORDERS_OF
from services.payments.settings import PaymentsSettings
from shared.desk import AWAY_CODE, at_desk, gone, terminal
from shared.envelope import new_id, now_utc
from shared.messages.privacy import ErasePersonalData, PersonalDataErased
from shared.privacy.customers import customer_hash, key_check, normalised
from shared.privacy.erasures import places_of
from shared.service import Kit, read_settings

REASON_MAX = 500  # a service parks a request with a longer one
ORDERS_MAX = 10_000  # in one message; who has more is erased by running the command again

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_OPEN = text("""
    SELECT order_id, status FROM payments WHERE order_id = ANY(CAST(:order_ids AS text[]))
      AND status IN ('created', 'pending_payment', 'processing') ORDER BY order_id""")
_KNOWN = text("SELECT order_id FROM payments WHERE order_id = ANY(CAST(:order_ids AS text[]))")
_DONE = text("SELECT * FROM erasures ORDER BY asked_at DESC LIMIT :limit")


@dataclass(frozen=True, slots=True)
class Found:
    """The customer's orders; those of them that may still be paid; asked for by hand, and not held here."""

    order_ids: list[str]
    open: list[str]
    unknown: list[str]


@dataclass(frozen=True, slots=True)
class Told:
    """What the services answered, and what is left in topics."""

    answers: Mapping[str, PersonalDataErased]
    left: Sequence[Left]


@commands.command()
def erase(
    customer: Annotated[str, typer.Argument(metavar="EMAIL", help="the address the orders were placed with")],
    reason: Annotated[str, typer.Option(help="why, e.g. a ticket's number; stays on record, so name nobody")],
    person: Annotated[str, typer.Option(help="who does it", default_factory=getpass.getuser)],
    order: Annotated[
        list[str] | None, typer.Option(help="also this order, placed without the address")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="only say whose orders these are")] = False,
    yes: Annotated[bool, typer.Option(help="do not ask again")] = False,
    wait_s: Annotated[float, typer.Option("--wait", help="seconds to wait for the services")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Blank this customer's data in every service. Amounts and document numbers stay."""
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise typer.BadParameter(f"say why in 1 to {REASON_MAX} characters", param_hint="--reason")
    settings = read_settings("payments", PaymentsSettings)
    found = at_desk(lambda: build(settings), lambda kit: _find(kit, customer, order or []))
    if not as_json:
        _tell_found(found)
    if found.unknown:
        raise gone(f"order-not-found: {', '.join(found.unknown)}; check the order ids", 1)
    if dry_run:
        return
    if not yes:
        typer.confirm(
            "Their names, addresses, item texts, raw webhooks and PDFs go for good. Erase?", abort=True
        )
    asked = ErasePersonalData(
        request_id=new_id(),
        customer=customer_hash(customer, settings.privacy_key),
        key_check=key_check(settings.privacy_key),
        order_ids=tuple(found.order_ids[:ORDERS_MAX]),
        asked_at=now_utc(),
        person=person,
        reason=reason,
    )

    async def ask(_: Kit) -> Told:
        answers = await erasing.ask(settings.kafka, asked, wait_s)
        return Told(answers, await erasing.left_in_topics(settings.kafka, now_utc()))

    told = at_desk(lambda: build(settings), ask)
    if as_json:
        shown = {"request_id": asked.request_id, "services": told.answers, "left": told.left}
        typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
    else:
        _tell(asked, told)
    if missing := [name for name in SERVICES if name not in told.answers]:
        why = f"no answer yet from {', '.join(missing)}: the request waits for them"
        raise gone(f"{why}; see `paystream parked list`, or run the same command again", AWAY_CODE)
    if len(found.order_ids) > ORDERS_MAX:
        raise gone(
            f"{len(found.order_ids) - ORDERS_MAX} orders are left: run the same command again", AWAY_CODE
        )


@commands.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100) -> None:
    """Erasures on record, the newest first. They name nobody who was erased."""

    async def read(kit: Kit) -> Sequence[Sequence[str]]:
        async with kit.engine.connect() as connection:
            rows = (await connection.execute(_DONE, {"limit": limit})).all()
        return [
            (
                f"{r.asked_at:%Y-%m-%d %H:%M:%S}", r.person, r.reason, str(len(r.order_ids)),
                str(sum(p.count for p in places_of(r) or ())), "done" if r.erased_at else "waits",
                r.request_id,
            )
            for r in rows
        ]  # fmt: skip

    rows = at_desk(lambda: build(read_settings("payments", PaymentsSettings)), read)
    table = Table("asked (UTC)", "by", "why", "orders", "rows here", "state", "request")
    for row in rows:
        table.add_row(*row)
    terminal().print(table if rows else "nobody was erased")


async def _find(kit: Kit, email: str, more: list[str]) -> Found:
    async with kit.engine.connect() as connection:
        theirs = await connection.execute(ORDERS_OF, {"email": normalised(email)})
        known = {row.order_id for row in await connection.execute(_KNOWN, {"order_ids": more})}
        order_ids = sorted({row.order_id for row in theirs} | known)
        waiting = (await connection.execute(_OPEN, {"order_ids": order_ids})).all()
    return Found(order_ids, [row.order_id for row in waiting], sorted(set(more) - known))


def _tell_found(found: Found) -> None:
    count = len(found.order_ids)
    typer.echo(f"{count} {'order' if count == 1 else 'orders'} of this customer")
    for order_id in found.open:
        typer.echo(
            f"  {order_id} may still be paid: its checkout goes on without a name, and no mail is sent"
        )


def _tell(asked: ErasePersonalData, told: Told) -> None:
    typer.echo(f"request {asked.request_id}, on record as {asked.person}: {asked.reason}")
    table = Table("service", "table", "blanked", "rows")
    for service in SERVICES:
        if (answer := told.answers.get(service)) is not None:
            for place in answer.places:
                table.add_row(service, place.place, place.what, str(place.count))
    terminal().print(table)
    left = Table("left", "what", "until (UTC)")
    for topic in told.left:
        left.add_row(f"topic {topic.topic}", "records from before", until(topic.until))
    for where, what, until_ in LEFT_ELSEWHERE:
        left.add_row(where, what, until_)
    terminal().print(left)


def until(at: datetime | None) -> str:
    return "for ever: set a retention" if at is None else f"{at:%Y-%m-%d %H:%M}"
