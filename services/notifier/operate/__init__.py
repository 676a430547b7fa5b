"""What operators may ask of this service, from a command line."""

from services.notifier.operate import mails
from services.notifier.operate.desk import kit

commands = {"notifier": mails.commands}

__all__ = ["commands", "kit"]
