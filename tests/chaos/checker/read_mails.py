"""The recipients' side: every mail that the mail server kept, from its folder of .eml files."""

import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from tests.chaos.checker.evidence import Mail


def read_mails(folder: Path) -> tuple[Mail, ...]:
    """One entry per delivery, with the addresses of the envelope."""
    index = folder / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True) if index.exists() else []
    return tuple(_mail(folder, json.loads(line)) for line in lines if line.endswith(b"\n"))


def _mail(folder: Path, entry: dict[str, object]) -> Mail:
    message: EmailMessage = BytesParser(policy=default).parsebytes(
        (folder / f"{entry['id']}.eml").read_bytes()
    )
    body = message.get_body(("plain",))
    recipients = entry["recipients"]
    return Mail(
        message_id=str(message["Message-ID"]).strip(),  # a long one stands on a line of its own
        recipients=tuple(recipients) if isinstance(recipients, list) else (),
        subject=str(message["Subject"]),
        text=body.get_content() if isinstance(body, EmailMessage) else "",
    )
