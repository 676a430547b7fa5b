"""Webhooks through a whole system: how many per second, at what cost, and how soon they are seen."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.children import Child, child
from bench.load import Spec, command
from bench.machine import Meter
from bench.measures import Sent, Spread, accepted, read_seen, read_sent, spread
from bench.seed import Applied

DRAIN_MAX_S = 60.0


class WrongCount(Exception):
    """What was accepted and what came out are not the same: the run is void."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where webhooks go, whose processor time is counted, and what counts the paid orders there.

    `subscriber` is the command of a process that hears what is published; without one the database counts.
    """

    name: str
    port: int
    account: str
    webhook_secret: str
    pids: Mapping[str, int]
    fill: Callable[[int, int], Awaitable[None]]
    applied: Callable[[int, int], Awaitable[Applied]]
    subscriber: Callable[[Path], list[str]] | None = None


@dataclass(slots=True)
class Result:
    """One load. Rates per second; `cpu_ms` per accepted webhook; `seen` is due → seen by a subscriber."""

    sent: int
    accepted: int
    paid: int
    accepted_per_s: float
    applied_per_s: float
    published_per_s: float
    answered: Spread
    seen: Spread
    cpu_ms: dict[str, float]
    generator_cpu_ms: float
    busy_cores: float
    other_cores: float  # used meanwhile by what is not measured here; near 0 on a calm machine
    statuses: dict[str, int]
    refused: int  # answered 503 at first, and sent again
    backlog_s: float
    repeats: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


async def run(target: Target, first: int, count: int, seconds: float, rate: float = 0.0) -> Result:
    """Fills the orders, sends, waits until all that was accepted is paid, and counts."""
    await target.fill(first, count)
    with tempfile.TemporaryDirectory() as folder:
        sent_file, seen_file = Path(folder) / "sent", Path(folder) / "seen"
        spec = Spec(
            port=target.port,
            account=target.account,
            webhook_secret=target.webhook_secret,
            first=first,
            count=count,
            seconds=seconds,
            out=str(sent_file),
            rate=rate,
        )
        meter = Meter(target.pids)
        if target.subscriber is None:
            async with child(command(spec)) as load:
                meter.start()
                summary = await load.ask("go")
                meter.stop()
            sent = read_sent(sent_file)
            return await _counted(target, sent, first, count, summary, meter, None)
        async with child(target.subscriber(seen_file)) as subscriber, child(command(spec)) as load:
            meter.start()
            summary = await load.ask("go")
            sent = read_sent(sent_file)
            await _drained(subscriber, len(accepted(sent)))
            meter.stop()
            heard = await subscriber.ask("stop")
        return await _counted(target, sent, first, count, summary, meter, (read_seen(seen_file), heard))


async def _drained(subscriber: Child, wanted: int) -> None:
    """Returns when as many orders are heard of as were accepted, or no more come."""
    deadline = time.monotonic() + DRAIN_MAX_S
    while await subscriber.ask("count") < wanted and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


async def _counted(
    target: Target,
    sent: list[Sent],
    first: int,
    count: int,
    summary: dict[str, Any],
    meter: Meter,
    heard: tuple[dict[int, float], dict[str, Any]] | None,
) -> Result:
    taken = accepted(sent)
    began, last_answer = summary["first"], summary["last"]
    applied = await target.applied(first, count)
    seen = {n: t for n, t in heard[0].items() if n in taken} if heard else {}
    came_out = len(heard[0]) if heard else applied.paid
    if summary["errors"] or came_out != len(taken) or applied.paid != len(taken):
        raise WrongCount(
            f"{target.name}: {len(taken)} orders accepted, {came_out} came out, {applied.paid} stand paid, "
            f"{summary['errors']} connections lost, answers {summary['statuses']}"
        )
    last_seen = max(seen.values(), default=last_answer)
    ours = sum(meter.used.values()) + summary["cpu_s"] + (heard[1]["cpu_s"] if heard else 0.0)
    answered = [s.answered - s.due for s in sent if s.status == 200]
    return Result(
        sent=len(sent),
        accepted=len(taken),
        paid=came_out,
        accepted_per_s=round(len(taken) / (last_answer - began), 1),
        applied_per_s=round(applied.paid / applied.span_s, 1) if applied.span_s else 0.0,
        published_per_s=round(len(taken) / (last_seen - began), 1),
        answered=spread(answered),
        seen=spread([seen[n] - taken[n].due for n in seen]),
        cpu_ms=meter.ms_each(len(taken)),
        generator_cpu_ms=round(1000 * summary["cpu_s"] / len(taken), 4),
        busy_cores=round(ours / meter.wall_s, 2),
        other_cores=round(max(0.0, meter.machine_s - ours) / meter.wall_s, 2),
        statuses=summary["statuses"],
        refused=summary["refused"],
        backlog_s=round(last_seen - last_answer, 2),
        repeats=heard[1]["repeats"] if heard else 0,
        extra={"subscriber_cpu_ms": round(1000 * heard[1]["cpu_s"] / len(taken), 4)} if heard else {},
    )
