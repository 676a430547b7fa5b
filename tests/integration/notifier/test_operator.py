"""What an operator does from a command line: look, send again, see samples."""

import asyncio
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

from tests.integration.notifier.messages import paid, placed, refund_succeeded
from tests.integration.notifier.system import ROOT, System, eventually


async def paystream(*arguments: str, environment: dict[str, str]) -> tuple[int, str]:
    """(exit code, all that it printed)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "paystream", *arguments,
        cwd=ROOT, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_an_operator_sees_what_an_order_got_and_sends_it_again(system: System, tmp_path: Path) -> None:
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"), refund_succeeded("o-1"))
    await system.mails(2)
    environment = system.environment()
    code, printed = await paystream("notifier", "show", "o-1", "--json", environment=environment)
    shown = [(row["kind"], row["mail"], row["resends"]) for row in json.loads(printed)]
    assert (code, sorted(shown)) == (0, [("credit_note", "sent", 0), ("receipt", "sent", 0)])
    assert "buyer.test" not in printed

    asked = ("notifier", "resend", "o-1", "credit_note", "--person", "kiran", "--nonce", "n-1")
    for _ in range(2):
        code, printed = await paystream(*asked, environment=environment)
        assert (code, "on record as kiran" in printed) == (0, True)

    async def arrived() -> bool:
        return len(system.sink.taken) == 3

    await eventually(arrived)
    await system.mails(2)
    assert "credit note" in system.sink.taken[2].subject
    code, printed = await paystream("notifier", "show", "o-1", environment=environment)
    assert "C-" in printed
    assert len(system.sink.taken) == 3

    file = tmp_path / "receipt.pdf"
    code, printed = await paystream(
        "notifier", "document", "o-1", "receipt", "--out", str(file), environment=environment
    )
    assert (code, f"SHA-256 {sha256(file.read_bytes()).hexdigest()}" in printed) == (0, True)
    assert file.read_bytes() in [mail.pdf for mail in system.sink.taken]

    nowhere = str(tmp_path / "no" / "folder.pdf")
    code, printed = await paystream(
        "notifier", "document", "o-1", "receipt", "--out", nowhere, environment=environment
    )
    assert (code, printed) == (2, f"cannot-write: {nowhere}: No such file or directory\n")

    resend = ("notifier", "resend", "o-1", "receipt", "--nonce", "n-1")  # known, but of another mail
    unmade = "UPDATE documents SET state = '{}', pdf = NULL, sha256 = NULL WHERE kind = 'receipt'"
    await system.execute(unmade.format("numbered"))
    code, printed = await paystream(*resend, environment=environment)
    assert (code, "cannot-be-sent" in printed) == (1, True)
    await system.execute(unmade.format("failed"))
    code, printed = await paystream(*resend, environment=environment)
    assert (code, "is made anew" in printed) == (0, True)

    async def made_and_sent() -> bool:
        return len(system.sink.taken) == 4

    await eventually(made_and_sent)
    assert system.sink.taken[3].pdf == file.read_bytes()

    await system.execute("UPDATE documents SET number = 1234567 WHERE kind = 'receipt'")
    code, printed = await paystream("notifier", "show", "o-1", "--json", environment=environment)
    assert [row["number"][-8:] for row in json.loads(printed)] == ["-1234567", "6-000001"]

    for wrong in [("show", "o-2"), ("resend", "o-1", "invoice"), ("resend", "o-1", "poem")]:
        code, printed = await paystream("notifier", *wrong, environment=environment)
        assert (code, "nothing-sent" in printed) == (1, True)


async def test_samples_need_no_settings(tmp_path: Path) -> None:
    asked = ("notifier", "preview", "invoice", "--out", str(tmp_path))
    code, printed = await paystream(*asked, environment={})
    assert code == 0
    assert "Your invoice from Bluebird Books" in printed
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF-")
