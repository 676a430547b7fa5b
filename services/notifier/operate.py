"""What operators may ask of this service, from a command line."""

from services.notifier.app import build
from services.notifier.settings import NotifierSettings
from shared.service import Kit, read_settings


def kit() -> Kit:
    """The parts of this service, not started."""
    return build(read_settings("notifier", NotifierSettings))
