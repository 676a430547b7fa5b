"""The end of a fault: the load ends, the system comes to rest, the books are compared and told."""

from collections import Counter

from tests.chaos.checker.evidence import Evidence
from tests.chaos.system import System
from tests.chaos.workload import Workload


async def settle(system: System, load: Workload, what: str, redeliveries: int) -> dict[str, int]:
    """Asserts that every shopper got what they paid for and that no invariant is broken.

    Gives what the whole life of this system has seen done more than once.
    """
    await load.finish()
    system.history += load.history
    rest_s = await system.quiet()
    evidence, verdict = await system.verdict()
    repeated = done_again(evidence)
    print(
        f"{what}: kills {system.take_kills()}, redeliveries {redeliveries}, paid {load.paid}, asked again "
        f"{load.unanswered}, lost {verdict.count('lost')}, doubled {verdict.count('doubled')}, at rest after "
        f"{rest_s:.1f} s; done again so far: {repeated}"
    )
    for finding in verdict.broken:
        print(f"  {finding}")
    assert load.unfinished == {}
    assert [finding.invariant for finding in verdict.broken] == []
    return repeated


def done_again(evidence: Evidence) -> dict[str, int]:
    """What was done more than once during the whole run, by independent counts; zeros left out."""
    ids = Counter((r.topic, r.id) for r in evidence.topics if r.id)
    asked = Counter(
        (r.type, r.key, str(r.message["data"]))
        for r in evidence.records("payments.commands")
        if not r.type.startswith("payments.create_payment")  # buyers ask for that again on purpose
    )
    mails = Counter(mail.message_id for mail in evidence.mails)
    found = {
        "published": sum(times - 1 for (topic, _), times in ids.items() if topic.endswith("events")),
        "webhooks": sum(times - 1 for (topic, _), times in ids.items() if topic == "payments.webhooks"),
        "commands": sum(times - 1 for times in asked.values()),
        "tasks": sum(i.claims > 1 for i in evidence.books.intents),
        "mails": sum(times - 1 for times in mails.values()),
    }
    return {what: times for what, times in found.items() if times}
