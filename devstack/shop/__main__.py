"""`python -m devstack.shop`: serves the demo shop until it is stopped."""

import argparse
import logging
import os

from aiohttp import web

from devstack.shop.app import Settings, build
from devstack.shop.security import ProviderOrigins, origin_of


def settings() -> Settings:
    """From the command line; the key rather from `SHOP_API_KEY`, which no process list shows."""
    parser = argparse.ArgumentParser(prog="python -m devstack.shop", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8710)
    parser.add_argument("--gateway", default="http://127.0.0.1:8700", help="Paystream's public address")
    parser.add_argument("--api-key", default=os.environ.get("SHOP_API_KEY"), help="default: SHOP_API_KEY")
    parser.add_argument("--simulator", help="stands in for every provider: its scripts, frames and calls")
    for what in ("script", "frame", "call", "form"):
        parser.add_argument(
            f"--{what}-origin",
            action="append",
            default=[],
            metavar="ORIGIN",
            help=f"a provider's origin that the checkout page may use for {what}s; may be repeated",
        )
    given = parser.parse_args()
    if not given.api_key:
        parser.error("an API key with the scope orders:write is needed: --api-key or SHOP_API_KEY")
    return Settings(
        host=given.host,
        port=given.port,
        gateway=given.gateway,
        api_key=given.api_key,
        providers=origins(given),
    )


def origins(given: argparse.Namespace) -> ProviderOrigins:
    if given.simulator:
        return ProviderOrigins.all_from(origin_of(given.simulator))
    return ProviderOrigins(
        scripts=tuple(given.script_origin),
        frames=tuple(given.frame_origin),
        calls=tuple(given.call_origin),
        forms=tuple(given.form_origin),
    )


def main() -> None:
    chosen = settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("shop").info("open at http://%s:%d", chosen.host, chosen.port)
    web.run_app(build(chosen), host=chosen.host, port=chosen.port, print=None)


if __name__ == "__main__":
    main()
