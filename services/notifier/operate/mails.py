"""`paystream notifier`: the documents and mails of an order, one of them once more, samples of all kinds."""

import getpass
import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import preview as samples
from services.notifier.domain.state import number_text
from services.notifier.operate.desk import carry_out, kit
from shared.desk import REFUSED, at_desk, gone, printable, terminal, write_out
from shared.errors import NotFound, Rejected
from shared.messages.notifier import ResendDocument
from shared.service import Kit

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
OrderId = Annotated[str, typer.Argument(metavar="ORDER_ID")]

# No recipient: who looks at mails need not see whose they are.
_SHOWN = text("""
    SELECT coalesce(d.kind, m.kind) AS kind, coalesce(d.subject, m.subject) AS subject,
           d.series, d.number, d.state AS document, m.state AS mail,
           m.attempts, m.last_answer, m.settled_at, m.message_id,
           (SELECT count(*) FROM resends r WHERE r.mail_id = m.mail_id) AS resends
    FROM (SELECT * FROM documents WHERE order_id = :order_id) d
    FULL JOIN (SELECT * FROM mails WHERE order_id = :order_id) m ON m.mail_id = d.document_id
    ORDER BY coalesce(d.issued_at, m.asked_at), kind""")
_PDF = text("""
    SELECT series, number, pdf, sha256 FROM documents
    WHERE order_id = :order_id AND kind = :kind AND subject = :subject AND pdf IS NOT NULL""")
_ON_RECORD = text("""
    SELECT 1 FROM resends r JOIN mails m USING (mail_id)
    WHERE m.order_id = :order_id AND m.kind = :kind AND m.subject = :subject AND r.nonce = :nonce""")


@commands.command()
def show(
    order_id: OrderId, as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False
) -> None:
    """The documents and mails of one order, and how each mail stands."""
    rows = at_desk(kit, lambda kit: _rows(kit, order_id))
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = Table(
        "kind", "subject", "number", "document", "mail", "tries", "again", "the server's last words"
    )
    for row in rows:
        table.add_row(
            row["kind"], printable(row["subject"]), row["number"] or "", row["document"] or "",
            row["mail"] or "none: no address", str(row["attempts"] or 0), str(row["resends"]),
            printable(row["last_answer"] or ""),
        )  # fmt: skip
    terminal().print(table)


@commands.command()
def resend(
    order_id: OrderId,
    kind: Annotated[str, typer.Argument(help="as `notifier show` names it, e.g. receipt")],
    person: Annotated[str, typer.Option(help="who asks for it", default_factory=getpass.getuser)],
    nonce: Annotated[
        str, typer.Option(help="the same twice acts once", default_factory=lambda: secrets.token_hex(8))
    ],
    subject: Annotated[str, typer.Option(help="needed when there are several of the kind")] = "",
) -> None:
    """Send one mail once more, with its document: same number, same address. One that failed is made anew."""

    async def again(kit: Kit) -> tuple[str, bool]:
        before = _one(await _rows(kit, order_id), kind, subject)
        command = ResendDocument(
            order_id=order_id, kind=kind, subject=before["subject"], nonce=nonce, person=person
        )
        await carry_out(kit, command)
        after = _one(await _rows(kit, order_id), kind, before["subject"])
        anew = before["document"] == "failed" != after["document"]
        async with kit.engine.connect() as connection:
            if not anew and not await _on_record(connection, command):
                raise Rejected(
                    "cannot-be-sent",
                    "no usable e-mail address (any more), or no PDF yet: see `paystream notifier show`",
                )
        return before["subject"], anew

    chosen, anew = at_desk(kit, again)
    what = "is made anew, and its mail follows if it has an address" if anew else "goes again"
    typer.echo(f"{kind} of {chosen} {what}, on record as {person} (nonce {nonce})")


@commands.command()
def document(
    order_id: OrderId,
    kind: Annotated[str, typer.Argument(help="as `notifier show` names it, e.g. receipt")],
    out: Annotated[Path, typer.Option(help="write the PDF to this file")],
    subject: Annotated[str, typer.Option(help="needed when there are several of the kind")] = "",
) -> None:
    """Take one document as it was made: for who has no mail, or before its customer is erased."""

    async def read(kit: Kit) -> Any:
        chosen = _one(await _rows(kit, order_id), kind, subject)["subject"]
        asked = {"order_id": order_id, "kind": kind, "subject": chosen}
        async with kit.engine.connect() as connection:
            return (await connection.execute(_PDF, asked)).one_or_none()

    found = at_desk(kit, read)
    if found is None:
        raise gone("no-document: this mail brings none, or it has no PDF (any more)", REFUSED)
    write_out(out, found.pdf)
    number = number_text(found.series, found.number)
    typer.echo(f"{number} written to {out}: {len(found.pdf)} bytes, SHA-256 {found.sha256}")


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def preview(context: typer.Context) -> None:
    """Write samples: [KIND …] [--out DIR] [--templates DIR] [--fonts DIR] [--locale TAG]."""
    samples.main(context.args)


async def _rows(kit: Kit, order_id: str) -> list[dict[str, Any]]:
    async with kit.engine.connect() as connection:
        found = await connection.execute(_SHOWN, {"order_id": order_id})
        rows = [_shown(dict(row)) for row in found.mappings()]
    if not rows:
        raise NotFound("nothing-sent", f"order {order_id} has no document and no mail: was it paid?")
    return rows


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """With the number as it is printed; a mail alone has none."""
    series, number = row.pop("series"), row.pop("number")
    return row | {"number": number and number_text(series, number)}


async def _on_record(connection: AsyncConnection, command: ResendDocument) -> bool:
    asked = {name: getattr(command, name) for name in ("order_id", "kind", "subject", "nonce")}
    return (await connection.execute(_ON_RECORD, asked)).one_or_none() is not None


def _one(rows: list[dict[str, Any]], kind: str, subject: str) -> dict[str, Any]:
    found = [r for r in rows if r["kind"] == kind and subject in ("", r["subject"])]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound("nothing-sent", f"there is no {kind} {subject}: see `paystream notifier show`")
    raise Rejected("several", f"name one with --subject: {', '.join(r['subject'] for r in found)}")
