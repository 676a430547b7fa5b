"""`python -m services.reconciler` is the service; with a command it is a tool beside it."""

import sys

from services.reconciler.app import NAME, build
from services.reconciler.operate import tool
from services.reconciler.settings import ReconcilerSettings
from shared import service

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments in ([], ["migrate"]):
        service.main(NAME, ReconcilerSettings, build, arguments)
    else:
        tool()
