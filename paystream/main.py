"""`paystream COMMAND …`: hands each command to the service that owns it, loading nothing else."""

import sys
from importlib import import_module

import typer

from paystream import checkup, parked

# command → (module that has it as a typer application, what it is for)
OWNERS = {
    "payment": (
        "services.payments.operate",
        "the story of one payment; look, capture, refund, mark, resolve",
    ),
    "webhook": ("services.payments.operate", "what providers sent: list, show, replay"),
    "notifier": (
        "services.notifier.operate",
        "documents and mails of an order: show, resend, document, preview",
    ),
    "reconcile": ("services.reconciler.operate", "compare a provider's day or window with ours, now"),
    "report": (
        "services.reconciler.operate",
        "the money of a day, or of some, as a page or a table: explained, open, accepted",
    ),
    "mismatch": ("services.reconciler.operate", "what differs: list, show, accept, approve"),
    "privacy": ("services.payments.operate", "blank one customer's data in every service; what was erased"),
    "risk": ("services.payments.operate", "money whose fate is not known, by age"),
}
OWN = {
    "parked": (parked.commands, "messages that could not be processed, of every service: list, show, replay"),
    "doctor": (checkup.commands, "whether keys, webhooks, clock and currencies are set up right"),
}


def main() -> None:
    """The console script. Exit codes: 0 done, 1 refused or wrong, 2 usage or settings, 3 a server is away."""
    arguments = sys.argv[1:]
    name = arguments[0] if arguments else "--help"
    if name in OWNERS:
        commands: typer.Typer = import_module(OWNERS[name][0]).commands[name]
    elif name in OWN:
        commands = OWN[name][0]
    else:
        raise _usage(name)
    commands(args=arguments[1:], prog_name=f"paystream {name}")


def _usage(name: str) -> SystemExit:
    known = {**OWNERS, **OWN}
    width = max(map(len, known))
    lines = [f"  {command:{width}}  {about}" for command, (_, about) in known.items()]
    usage = "\n".join(["usage: paystream COMMAND …", "", *lines, "", "paystream COMMAND --help says more."])
    if name in ("--help", "-h", "help"):
        typer.echo(usage)
        return SystemExit(0)
    typer.echo(f"there is no command {name!r}\n\n{usage}", err=True)
    return SystemExit(2)
