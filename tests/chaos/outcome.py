"""The end of a fault: the load ends, the system comes to rest, the books are compared and told."""

import time
from collections import Counter

from tests.chaos.checker.evidence import Evidence
from tests.chaos.system import System
from tests.chaos.workload import Workload

STORIES_MAX = 3  # of orders that a finding names


async def settle(system: System, load: Workload, what: str, left_half_done: int = 0) -> Counter[str]:
    """Asserts that every shopper got what they paid for and that no invariant is broken.

    Gives what was done more than once since the last time this was asked.
    """
    healed = time.monotonic()
    await load.finish()
    system.history += load.history
    await system.quiet()
    rest_s = time.monotonic() - healed
    evidence, verdict = await system.verdict()
    repeated, system.repeated = done_again(evidence) - system.repeated, done_again(evidence)
    print(
        f"{what}: kills {system.take_kills()}, redeliveries {max(left_half_done, repeated.total())} "
        f"{dict(repeated)}, paid {load.paid}, asked again {load.unanswered}, "
        f"lost {verdict.count('lost')}, doubled {verdict.count('doubled')}, at rest after {rest_s:.1f} s"
    )
    for finding in verdict.broken:
        print(f"  {finding}")
    named = " ".join(str(finding) for finding in verdict.broken)
    for order_id in [order_id for order_id in load.wishes if f" {order_id} " in named][:STORIES_MAX]:
        print(await system.story(order_id))
    for order_id, why in load.unfinished.items():
        print(f"  {order_id} is not done: {why}\n  {load.wishes[order_id]}\n{await system.story(order_id)}")
    assert not load.unfinished, f"{len(load.unfinished)} shoppers are not done"
    assert [finding.invariant for finding in verdict.broken] == []
    return repeated


def done_again(evidence: Evidence) -> Counter[str]:
    """What was done more than once in the life of a system, counted from outside."""
    ids = Counter((r.topic, r.id) for r in evidence.topics if r.id)
    asked = Counter(
        (r.type, r.key, str(r.message["data"]))
        for r in evidence.records("payments.commands")
        if not r.type.startswith("payments.create_payment")  # buyers ask for that again on purpose
    )
    mails = Counter(mail.message_id for mail in evidence.mails)
    return Counter(
        {
            "events": sum(times - 1 for (topic, _), times in ids.items() if topic.endswith("events")),
            "webhooks": sum(times - 1 for (topic, _), times in ids.items() if topic == "payments.webhooks"),
            "commands": sum(times - 1 for times in asked.values()),
            "tasks": sum(intent.claims > 1 for intent in evidence.books.intents),
            "mails": sum(times - 1 for times in mails.values()),
        }
    )
