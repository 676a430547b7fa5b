"""The plain way through: commands in, events out, once each, in order."""

from tests.integration.kit.example.messages import COMMANDS, EVENTS, Deposit
from tests.integration.kit.records import order_violations
from tests.integration.kit.system import System, command


async def test_every_command_takes_effect_once_and_is_announced_in_order(system: System) -> None:
    system.start()
    await system.ready()
    deposits = [command(Deposit(account=f"a{n % 20}", amount=1), f"a{n % 20}") for n in range(600)]
    again = [*deposits[:100], *deposits[:100]]
    await system.send(COMMANDS, [*deposits, *again])
    await system.quiet()

    assert await system.value("SELECT sum(deposited) FROM accounts") == 600
    events = await system.dump(EVENTS)
    assert len({e.envelope.id for e in events}) == 600
    assert order_violations(events) == []
    assert await system.value("SELECT count(*) FROM effects") == 600
    assert await system.metric("paystream_messages_total", "commands", "repeated") == 200
