"""The tables of docs/http.md, from the code. `python -m tests.unit.gateway.pages` writes them."""

import re
from pathlib import Path

from services.gateway import openapi
from services.gateway.app import ROUTES
from services.gateway.problems import TABLE
from services.gateway.webhooks import PATH as WEBHOOK_PATH

PAGE = Path(__file__).parents[3] / "docs" / "http.md"
_COMMON = set(
    f"{openapi.EVERYWHERE} {openapi.WITH_CREDENTIAL} {openapi.WITH_BODY} {openapi.WITH_COMMAND} "
    f"{openapi.WITH_KEY}".split()
)


def rendered(page: str) -> str:
    """The page with its two tables as the code has them."""
    for name, table in (("routes", routes()), ("problems", problems())):
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", rf"\g<1>{table}\g<2>", page, flags=re.DOTALL
        )
    return page


def routes() -> str:
    lines = ["| call | who | answers | may refuse with |", "|---|---|---|---|"]
    for route in ROUTES:
        (path,) = route.paths
        (method,) = route.http_methods
        who = " or ".join(_who(part) for part in route.opt["access"].split())
        answers = str(route.status_code) + (", 202" if route.opt.get("command") else "")
        own = [f"`{c}`" for c in route.opt.get("refuses", "").split() if c not in _COMMON]
        own += ["`kafka-unavailable`, `overloaded`, `expired`"] if route.opt.get("command") else []
        own += ["those of the `Idempotency-Key`"] if route.opt.get("keyed") else []
        call = f"`{method} {openapi.published(path)}`<br>{route.summary}"
        lines.append(f"| {call} | {who} | {answers} | {', '.join(own)} |")
    refusals = ", ".join(f"`{c}`" for c in openapi.WEBHOOK.split())
    for path in (WEBHOOK_PATH, WEBHOOK_PATH + "/{provider}"):
        call = f"`POST {path}`<br>What a provider tells us, signed"
        lines.append(f"| {call} | its signature | 200 | {refusals} |")
    return "\n".join(lines) + "\n"


def _who(access: str) -> str:
    known = {"buyer": "the order's token", "anyone": "its own proof"}
    return known.get(access, f"key with `{access}`")


def problems() -> str:
    lines = ["| code | status | retryable | means |", "|---|---|---|---|"]
    for code, kind in sorted(TABLE.items(), key=lambda item: (item[1].status, item[0])):
        lines.append(f"| `{code}` | {kind.status} | {'yes' if kind.retryable else 'no'} | {kind.title} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
