"""An operator at a terminal: the command as its own process, with the settings of the running service."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from tests.integration.payments.system import ROOT, Payments

TIMEOUT_S = 60.0


@dataclass
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def flat(self) -> str:
        """Without the line breaks and frames of tables: what a reader's eye puts together."""
        return " ".join(self.out.replace("│", " ").replace("┃", " ").split())

    @property
    def refusal(self) -> str:
        """The one line that says why it was not done."""
        return self.err.strip().splitlines()[-1]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Operator:
    """Runs `python -m paystream …`."""

    payments: Payments

    async def __call__(self, *arguments: str, **settings: str) -> Said:
        env = self.payments.environment() | {"COLUMNS": "300", "USER": "asha", "LOGNAME": "asha"} | settings
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "paystream", *arguments,
            cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Said(process.returncode, out.decode(), err.decode())
