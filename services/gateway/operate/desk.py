"""The gateway's own parts, in the hands of a person."""

from services.gateway.app import build
from services.gateway.settings import GatewaySettings
from shared.service import Kit, read_settings


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(read_settings("gateway", GatewaySettings))
