"""What operators may ask of this service, from a command line."""

from services.reconciler.app import build
from services.reconciler.settings import ReconcilerSettings
from shared.service import Kit, read_settings


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(read_settings("reconciler", ReconcilerSettings))
