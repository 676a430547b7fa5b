"""`paystream doctor`: asks each service that is set up here what is wrong with its settings."""

from importlib import import_module
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from shared.checkup import Finding
from shared.desk import REFUSED, configured, gone, printable, terminal

MARKS = {"good": ("✓", "green"), "unsure": ("?", "yellow"), "wrong": ("✗", "red")}

commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@commands.command()
def doctor(
    gateway_url: Annotated[
        str,
        typer.Option(help="also send signed test webhooks to this gateway, e.g. https://pay.shop.example"),
    ] = "",
) -> None:
    """Check keys, accounts, modes, clock, currencies and webhooks: exit code 1 when one is wrong."""
    findings: list[Finding] = []
    if configured("payments"):
        findings += import_module("services.payments.operate").examine()
    if configured("gateway"):
        findings += import_module("services.gateway.operate").examine(gateway_url)
    if not findings:
        raise gone("neither payments nor gateway is set up here: run it where their settings are", 2)
    table = Table("", "what", "found", "what to do", show_lines=False)
    for finding in findings:
        mark, colour = MARKS[finding.verdict]
        table.add_row(Text(mark, style=colour), finding.subject, printable(finding.said), finding.fix)
    terminal().print(table)
    wrong = sum(f.verdict == "wrong" for f in findings)
    unsure = sum(f.verdict == "unsure" for f in findings)
    typer.echo(f"{len(findings)} checks: {wrong} wrong, {unsure} for your own eyes")
    raise SystemExit(REFUSED if wrong else 0)
