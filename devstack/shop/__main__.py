"""`python -m devstack.shop`: serves the demo shop until it is stopped."""

import argparse
import logging
import os

from aiohttp import web

from devstack.shop.app import Settings, build


def settings() -> Settings:
    """From the command line; the key rather from `SHOP_API_KEY`, which no process list shows."""
    parser = argparse.ArgumentParser(prog="python -m devstack.shop", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8710)
    parser.add_argument("--gateway", default="http://127.0.0.1:8700", help="Paystream's public address")
    parser.add_argument("--api-key", default=os.environ.get("SHOP_API_KEY"), help="default: SHOP_API_KEY")
    parser.add_argument("--simulator", default="http://127.0.0.1:8711", help="the payment provider's address")
    given = parser.parse_args()
    if not given.api_key:
        parser.error("an API key with the scope orders:write is needed: --api-key or SHOP_API_KEY")
    return Settings(
        host=given.host,
        port=given.port,
        gateway=given.gateway,
        api_key=given.api_key,
        simulator=given.simulator,
    )


def main() -> None:
    chosen = settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("shop").info("open at http://%s:%d", chosen.host, chosen.port)
    web.run_app(build(chosen), host=chosen.host, port=chosen.port, print=None)


if __name__ == "__main__":
    main()
