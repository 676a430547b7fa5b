"""`python -m tests.contract.example_provider payments`: a service that knows one provider more.

What is done here before the service is imported is what docs/adding-a-provider.md says to write into
`shared/settings.py` and `shared/providers/registry.py`.
"""

import runpy
import sys

import shared.settings
from tests.contract.example_provider.adapter import TillPayAdapter, TillPaySettings


class ProviderSettings(shared.settings.ProviderSettings):
    tillpay: TillPaySettings | None = None


shared.settings.ProviderSettings = ProviderSettings  # type: ignore[misc]  # stands for the field in the file

from shared.providers import registry  # noqa: E402 - the settings come first

registry.ADAPTERS["tillpay"] = TillPayAdapter
registry.PROOFS["tillpay"] = ("tillpay_order",)

service = sys.argv.pop(1)
runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)
