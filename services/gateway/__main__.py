"""`python -m services.gateway [migrate]`."""

import sys

from services.gateway.app import build
from services.gateway.settings import GatewaySettings
from shared.service import main

main("gateway", GatewaySettings, build, sys.argv[1:])
