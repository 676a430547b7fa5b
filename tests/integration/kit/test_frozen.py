"""A process freezes (SIGSTOP), another takes over, the frozen one wakes up and goes on (faults F09, F41)."""

import pytest

from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, Deposit
from tests.integration.kit.system import System, command, eventually

PLACES = {  # where it freezes → what shows that it bit
    "relay.before_publish:freeze@1": "published again",  # wakes up with rows that another has published
    "example.before_db_commit:freeze@2": "redelivered",  # holds locks that the database takes away
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_frozen_process_that_wakes_up_changes_nothing(system: System, place: str) -> None:
    deposits = [command(Deposit(account=f"a{n % 9}", amount=1), f"a{n % 9}") for n in range(300)]
    system.start("1", FAILPOINT=place)
    await system.ready("1")
    await system.send(COMMANDS, deposits[:100])
    frozen = system.processes["1"]

    async def stopped() -> bool:
        return frozen.alive and "SIGSTOP" in system.log("1").read_text()

    await eventually(stopped, timeout_s=20, what="the first instance freezes")
    system.start("2")
    await system.send(COMMANDS, deposits[100:200])
    await system.quiet(timeout_s=60)  # all of it is done without the frozen one
    frozen.thaw()
    await system.send(COMMANDS, deposits[200:])
    await system.ready("1")
    await system.quiet()

    books = await audit(system, 300)
    evidence(f"{place}, then awake", system, books)
    assert books.wrong == []
    shown = {"published again": books.published_again > 0, "redelivered": books.redelivered > 0}
    assert shown[PLACES[place]], f"the fault did not bite: {shown}"
    assert "lease taken" in system.log("2").read_text()
