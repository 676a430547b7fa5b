"""A message that kills the process is found by counting its starts, and parked (fault F66)."""

from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, Break, Deposit
from tests.integration.kit.system import System, command


async def test_a_message_that_kills_the_process_is_parked_after_three_starts(system: System) -> None:
    system.start()
    await system.ready()
    good = [command(Deposit(account=f"a{n % 7}", amount=1), f"a{n % 7}") for n in range(60)]
    killer = command(Break(account="a3", how="kill-in-save"), "a3")
    await system.send(COMMANDS, [*good[:30], killer, *good[30:]])
    while not await system.sql("SELECT 1 FROM inbox WHERE outcome = 'parked'"):
        assert system.kills <= 5  # unseen, in a marked batch, and three counted ones alone
        if not system.processes["1"].alive:
            system.kills += 1
            system.start()
    await system.quiet()

    books = await audit(system, 60)
    evidence("a message that kills", system, books)
    assert books.wrong == []
    rows = await system.sql("SELECT body, error FROM inbox WHERE outcome = 'parked'")
    assert [row["body"] for row in rows] == [killer[1]]
    assert "died 3 times" in rows[0]["error"]
