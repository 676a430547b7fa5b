"""`python -m services.notifier [migrate | preview [KIND ...] [--out DIR]]`."""

import sys

from services.notifier import preview
from services.notifier.app import build
from services.notifier.settings import NotifierSettings
from shared.service import main

if __name__ == "__main__":
    if sys.argv[1:2] == ["preview"]:
        preview.main(sys.argv[2:])
    else:
        main("notifier", NotifierSettings, build, sys.argv[1:])
