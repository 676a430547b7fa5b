"""What the command line and the configuration file say."""

from pathlib import Path

import msgspec

from devstack.simulator.paypal.account import Account as PayPalAccount
from devstack.simulator.razorpay.account import Account
from devstack.simulator.stripe.account import Account as StripeAccount


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The configuration file: one section for each provider."""

    razorpay: Account
    stripe: StripeAccount | None = None
    paypal: PayPalAccount | None = None


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """Everything that a run of the simulator depends on."""

    host: str
    port: int
    data_dir: Path
    time_scale: float
    seed: int
    config: Config


def read_config(path: Path) -> Config:
    """The configuration in a JSON file; a wrong one is said with its path in the document."""
    return msgspec.json.decode(path.read_bytes(), type=Config)
