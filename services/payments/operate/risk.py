"""`paystream risk`: money whose fate is not known, by age."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from services.payments.operate.desk import kit
from services.payments.operate.money import shown
from services.payments.risk import AGES, Case, cases, grouped
from shared.desk import at_desk, printable, terminal
from shared.envelope import now_utc
from shared.service import Kit

KINDS = {
    "unanswered_create": "creates without an answer",
    "capture": "captures without an answer",
    "refund": "refunds without an answer",
    "flag": "flags that wait for a person",
}
NAMES = {**{name: f"under {name}" for name, _ in AGES}, "older": "older"}

commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@commands.command()
def risk(
    every: Annotated[bool, typer.Option("--all", help="list each case, not only the twenty oldest")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="every case, for programs")] = False,
) -> None:
    """Show the money at risk: what nobody knows yet, and what waits for a person, by age."""

    async def found(kit: Kit) -> list[Case]:
        async with kit.engine.connect() as connection:
            return await cases(connection)

    cases_ = at_desk(kit, found)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(cases_), indent=2))
        return
    console = terminal()
    if not cases_:
        console.print("nothing is at risk: every outcome is known, no flag waits")
        return
    console.print(_groups(cases_))
    console.print(_list(cases_ if every else cases_[:20]))
    if not every and len(cases_) > 20:
        console.print(f"and {len(cases_) - 20} more: --all lists them")


def _groups(found: list[Case]) -> Table:
    table = Table("what", "provider", *NAMES.values(), title="money at risk, by age", title_justify="left")
    groups = grouped(found, now_utc())
    for kind, provider, currency in sorted({group[:3] for group in groups}):
        cells = [groups.get((kind, provider, currency, age), (0, 0)) for age in NAMES]
        texts = [f"{number} · {shown(amount, currency)}" if number else "–" for number, amount in cells]
        table.add_row(KINDS[kind], provider or "–", *texts)
    return table


def _list(found: list[Case]) -> Table:
    table = Table(
        "since", "what", "order", "amount", "which", "note", title="the oldest", title_justify="left"
    )
    for case in found:
        since = f"{case.since:%Y-%m-%d %H:%M:%S}"
        money = shown(case.amount, case.currency)
        table.add_row(
            since, KINDS[case.kind], case.order_id, money, printable(case.subject), printable(case.note)
        )
    return table
