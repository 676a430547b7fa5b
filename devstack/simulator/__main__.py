"""`python -m devstack.simulator`: the providers, on one port, until stopped."""

import argparse
import logging
import sys
from pathlib import Path

import msgspec
from aiohttp import web

from devstack.simulator.app import build
from devstack.simulator.ledger import LedgerInUse
from devstack.simulator.settings import Settings, read_config


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m devstack.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--config", type=Path, required=True)
    given = parser.parse_args()
    try:
        config = read_config(given.config)
    except (OSError, msgspec.DecodeError) as error:
        parser.error(f"{given.config}: {error}")
    return Settings(
        host=given.host,
        port=given.port,
        data_dir=given.data_dir,
        time_scale=given.time_scale,
        seed=given.seed,
        config=config,
    )


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = _settings()
    try:
        web.run_app(
            build(settings),
            host=settings.host,
            port=settings.port,
            access_log=None,
            shutdown_timeout=2.0,
        )
    except (OSError, LedgerInUse) as error:
        sys.exit(f"The provider simulator cannot start: {error}")


if __name__ == "__main__":
    main()
