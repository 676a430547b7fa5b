"""Child processes that are talked to in lines, and servers that are waited for."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

READY_MAX_S = 120.0  # a generator signs some 100,000 requests first


class Child:
    """`python -m …`, which prints `ready` and then answers lines."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self, timeout_s: float = READY_MAX_S) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            raw = await self._process.stdout.readline()
        if not raw:
            raise RuntimeError(f"a child ended with exit code {await self._process.wait()}")
        return raw.decode().strip()

    async def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def ask(self, line: str, timeout_s: float = READY_MAX_S) -> Any:
        await self.say(line)
        return json.loads(await self.line(timeout_s))


@asynccontextmanager
async def child(command: Sequence[str]) -> AsyncIterator[Child]:
    """Ready to be talked to; ended when the block is left, however."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        running = Child(process)
        said = await running.line()
        assert said == "ready", said
        yield running
    finally:
        await _end(process)


@asynccontextmanager
async def server(
    arguments: Sequence[str], address: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """`python -m …` that serves `address`; gives its process id."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments, env=env)
    try:
        await _answers(address)
        yield process.pid
    finally:
        await _end(process)


async def _answers(address: str) -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(address):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
