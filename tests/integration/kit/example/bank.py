"""The outside: a bank whose book is a file that survives every process, and what the tasks do with it."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.envelope import decode
from shared.messages.base import Catalogue
from shared.tasks import Answered, ClaimedTask, Later, Performer
from tests.integration.kit.example.messages import BankAnswered, FactSeen

MATCH_TRIES_MAX = 50


class Bank:
    """It does what it is told, as often as it is told: a second order with the same key moves money twice."""

    def __init__(self, book: Path, delay_s: float) -> None:
        self._book = book
        self._delay_s = delay_s

    async def move(self, operation: str, amount: int, key: str) -> None:
        """Acts at once and answers after a while, as banks do."""
        self._write({"operation": operation, "amount": amount, "key": key, "process": os.getpid()})
        await asyncio.sleep(self._delay_s)

    def find(self, key: str) -> bool:
        self._write({"looked_for": key})
        return any(line.get("key") == key for line in self.lines())

    def lines(self) -> list[dict[str, Any]]:
        if not self._book.exists():
            return []
        return [json.loads(line) for line in self._book.read_text().splitlines()]

    def _write(self, entry: dict[str, Any]) -> None:
        with self._book.open("ab", buffering=0) as book:  # O_APPEND: whole lines, whoever writes
            book.write(json.dumps(entry).encode() + b"\n")


def performers(bank: Bank, engine: AsyncEngine, scaled: Callable[[float], float]) -> dict[str, Performer]:
    facts = Catalogue(FactSeen)

    async def pay_out(task: ClaimedTask) -> Answered | Later:
        request = msgspec.json.decode(task.payload)
        operation, amount = request["operation"], request["amount"]
        found = not task.first and bank.find(operation)
        if not found:
            await bank.move(operation, amount, key=operation)
        return Answered(BankAnswered(account=task.subject, operation=operation, found=found))

    async def match(task: ClaimedTask) -> Answered | Later:
        fact = facts.decode(decode(task.payload))
        if not isinstance(fact, FactSeen):
            raise TypeError(f"not a fact: {fact}")
        async with engine.connect() as connection:
            known = await connection.execute(text("SELECT 1 FROM refs WHERE ref = :ref"), {"ref": fact.ref})
            if known.one_or_none() is None and task.claims < MATCH_TRIES_MAX:
                return Later(scaled(0.2), "nobody knows the reference yet")
        return Answered(fact)

    return {"pay_out": pay_out, "match": match}
