"""`python -m services.payments [migrate]`."""

import sys

from services.payments.app import build
from services.payments.settings import PaymentsSettings
from shared.service import main

main("payments", PaymentsSettings, build, sys.argv[1:])
