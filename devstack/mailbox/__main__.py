"""``python -m devstack.mailbox``: mail in by SMTP, out by a web page."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from devstack.mailbox import smtp
from devstack.mailbox.behaviour import Conduct
from devstack.mailbox.messages import Mailbox
from devstack.mailbox.pages import Pages


async def serve(host: str, port: int, smtp_port: int, folder: Path) -> None:
    """Both servers, until SIGTERM or SIGINT."""
    mailbox, conduct = Mailbox(folder), Conduct()
    app = web.Application()
    app.add_routes(Pages(mailbox, conduct).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # The page listens last: who sees it answer may send mail.
    reception = await smtp.listen(host, smtp_port, mailbox, conduct)
    await web.TCPSite(runner, host, port).start()
    print(f"mailbox: SMTP on {host}:{smtp_port}, page on http://{host}:{port}", flush=True)  # noqa: T201 - its log
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    reception.close()
    await runner.cleanup()


def main(
    port: Annotated[int, typer.Option(help="of the web page")],
    smtp_port: Annotated[int, typer.Option(help="of the mail server")],
    data_dir: Annotated[Path, typer.Option(help="where messages are kept")],
    host: str = "127.0.0.1",
) -> None:
    """Keeps every mail it is sent, and shows it."""
    asyncio.run(serve(host, port, smtp_port, data_dir))


if __name__ == "__main__":
    typer.run(main)
