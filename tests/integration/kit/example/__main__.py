"""`python -m tests.integration.kit.example`, as every service is started."""

import sys

from shared.service import main
from tests.integration.kit.example.app import ExampleSettings, build

if __name__ == "__main__":
    main("example", ExampleSettings, build, sys.argv[1:])
