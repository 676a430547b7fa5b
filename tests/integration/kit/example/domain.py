"""The example's rules: pure functions on an account."""

import os
import signal
from dataclasses import dataclass, replace
from datetime import datetime
from functools import singledispatch

import msgspec

from shared.decision import Answer, Decision, Outgoing, Task
from shared.inbox import Incoming
from shared.messages.base import IdempotencyKey, Message
from tests.integration.kit.example.messages import (
    EVENTS,
    BankAnswered,
    Break,
    Changed,
    Deposit,
    FactSeen,
    Link,
    PayOut,
    Withdraw,
)


@dataclass(frozen=True)
class Payout:
    operation: str
    amount: int
    done: bool = False
    principal: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Account:
    """What was paid in lives in the account's row, what went out in rows under it."""

    id: str
    deposited: int = 0
    version: int = 0
    refs: tuple[str, ...] = ()
    payouts: tuple[Payout, ...] = ()
    note: str = ""

    @property
    def available(self) -> int:
        return self.deposited - sum(p.amount for p in self.payouts)


def decide(account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    return _decide(incoming.message, account, incoming, now)


@singledispatch
def _decide(message: Message, account: Account, _incoming: Incoming, _now: datetime) -> Decision[Account]:
    raise NotImplementedError(f"{message.TYPE} for {account.id}")


@_decide.register
def _deposit(message: Deposit, account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    return _changed(replace(account, deposited=account.deposited + message.amount), now, _ok(incoming))


@_decide.register
def _fact(message: FactSeen, account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    return _changed(replace(account, deposited=account.deposited + message.amount), now, _ok(incoming))


@_decide.register
def _link(message: Link, account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    if message.ref in account.refs:
        return Decision(account, outcome="ignored")
    return _changed(replace(account, refs=(*account.refs, message.ref)), now, _ok(incoming))


@_decide.register
def _withdraw(message: Withdraw, account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    asked = _asked(message.idempotency)
    if message.amount > account.available:
        return Decision(account, answers=(_answer(incoming, "insufficient", account, asked),))
    payout = Payout(incoming.id, message.amount, done=True)
    after = replace(account, payouts=(*account.payouts, payout))
    return _changed(after, now, _answer(incoming, "ok", after, asked))


@_decide.register
def _pay_out(message: PayOut, account: Account, incoming: Incoming, now: datetime) -> Decision[Account]:
    asked = _asked(message.idempotency)
    if message.amount > account.available:
        return Decision(account, answers=(_answer(incoming, "insufficient", account, asked),))
    principal, key = asked or (None, None)
    payout = Payout(incoming.id, message.amount, principal=principal, key=key)
    request = msgspec.json.encode({"operation": payout.operation, "amount": payout.amount})
    task = Task("pay_out", payout.operation, account.id, payload=request, priority=20)
    return _changed(replace(account, payouts=(*account.payouts, payout)), now, tasks=(task,))


@_decide.register
def _answered(
    message: BankAnswered, account: Account, incoming: Incoming, now: datetime
) -> Decision[Account]:
    payout = next(p for p in account.payouts if p.operation == message.operation)
    if payout.done:
        return Decision(account, outcome="ignored")
    payouts = tuple(replace(p, done=True) if p is payout else p for p in account.payouts)
    after = replace(account, payouts=payouts)
    asked = (payout.principal, payout.key) if payout.principal and payout.key else None
    return _changed(after, now, _answer(incoming, "ok", after, asked))


@_decide.register
def _break(message: Break, account: Account, _incoming: Incoming, _now: datetime) -> Decision[Account]:
    if message.how == "raise":
        raise ValueError(f"no rule for {account.id}")
    if message.how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    notes = {"constraint": "", "data": "a\0b", "slow": "slow", "kill-in-save": "kill"}
    deposited = -1 if message.how == "constraint" else account.deposited
    return Decision(replace(account, deposited=deposited, note=notes[message.how]))


def _changed(
    account: Account, now: datetime, *answers: Answer, tasks: tuple[Task, ...] = ()
) -> Decision[Account]:
    after = replace(account, version=account.version + 1)
    paid_out = sum(p.amount for p in after.payouts if p.done)
    message = Changed(account=after.id, available=after.available, paid_out=paid_out)
    event = Outgoing(EVENTS.name, after.id, message, now, after.version)
    return Decision(after, events=(event,), tasks=tasks, answers=answers)


def _asked(key: IdempotencyKey | None) -> tuple[str, str] | None:
    return (key.principal, key.key) if key else None


def _ok(incoming: Incoming) -> Answer:
    return Answer(incoming.envelope.correlationid, "ok")


def _answer(incoming: Incoming, code: str, account: Account, asked: tuple[str, str] | None) -> Answer:
    body = msgspec.json.encode({"available": account.available})
    return Answer(incoming.envelope.correlationid, code, body, stored_under=asked)
