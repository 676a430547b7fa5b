"""Seeded bugs that the survival tests of the whole system must catch: at least one for each test."""

from tests.mutants.mutant import Mutant

PROCESSES = "tests/chaos/test_processes.py"
SURROUNDINGS = "tests/chaos/test_surroundings.py"
MONEY = "tests/chaos/test_money_calls.py"

MUTANTS = (
    Mutant(
        "system: a repeated order is held a second time",
        "services/payments/domain/orders.py",
        "if payment.registered and payment.fingerprint == content_fingerprint:",
        "if payment.attempts and payment.fingerprint == content_fingerprint:",
        (f"{PROCESSES}::test_gateway_dies_between_kafkas_ack_and_its_answer",),
    ),
    Mutant(
        "system: offsets are committed before the database",
        "shared/subscribe.py",
        """                if await loop.handle([_record(r, prefix) for r in raw]):
                    await _commit(subscriber.consumer, raw, loop.label)
""",
        """                await _commit(subscriber.consumer, raw, loop.label)
                await loop.handle([_record(r, prefix) for r in raw])
""",
        (f"{PROCESSES}::test_payments_dies_around_its_commits",),
    ),
    Mutant(
        "system: a create is not looked up after a crash",
        "services/payments/tasks.py",
        "if request.lookup_first or request.only_look or not task.first:",
        "if request.lookup_first or request.only_look:",
        (f"{PROCESSES}::test_payments_dies_around_its_calls_to_the_provider",),
    ),
    Mutant(
        "system: each try writes a Message-ID of its own",
        "services/notifier/mail/compose.py",
        'message["Message-ID"] = mail.message_id',
        'message["Message-ID"] = f"<{id(message)}.{__import__(\'os\').getpid()}@shop.test>"',
        (f"{PROCESSES}::test_notifier_dies_while_it_numbers_and_after_the_mail_left",),
    ),
    Mutant(
        "system: a frozen process keeps its lease for ever",
        "shared/leases.py",
        " OR leases.until < clock_timestamp()",
        "",
        (f"{PROCESSES}::test_frozen_consumer_and_relay_wake_up_after_another_took_over",),
    ),
    Mutant(
        "system: what a dead process had claimed is never taken up",
        "shared/tasks.py",
        "AND (lease_until IS NULL OR lease_until +",
        "AND (lease_until IS NULL OR false AND lease_until +",
        (f"{PROCESSES}::test_random_kills",),
    ),
    Mutant(
        "system: a webhook is answered before Kafka has it",
        "services/gateway/webhooks.py",
        "            await self._intake.accept(PAYMENTS_WEBHOOKS, key.encode(), encode(envelope))\n",
        """            import asyncio

            asyncio.ensure_future(
                self._intake.accept(PAYMENTS_WEBHOOKS, key.encode(), encode(envelope))
            ).add_done_callback(lambda done: done.exception())
""",
        (f"{SURROUNDINGS}::test_broker_dies_and_the_gateway_while_it_waits",),
    ),
    Mutant(
        "system: an outage of the database parks messages",
        "shared/database.py",
        """        return state[:2] in ("21", "22", "23", "54")
    return not isinstance(error, (*AWAY, Unavailable, WrongIsolation, MemoryError))""",
        """        return state[:2] != "40"
    return not isinstance(error, (Unavailable, WrongIsolation, MemoryError))""",
        (f"{SURROUNDINGS}::test_database_dies_and_comes_back",),
    ),
    Mutant(
        "system: a create without an answer is done again blindly",
        "services/payments/domain/opening.py",
        '"lookup_first": tries > 0,',
        '"lookup_first": False,',
        (f"{SURROUNDINGS}::test_hostile_provider",),
    ),
    Mutant(
        "system: each try of a refund has a key of its own",
        "services/payments/money_tasks.py",
        "key=request.refund_id,",
        'key=f"{request.refund_id}-{request.tries}",',
        (f"{MONEY}::test_answers_to_every_call_that_moves_money_get_lost",),
    ),
    Mutant(
        "system: the result of a refund, heard twice, is two refunds",
        "services/payments/domain/refunds.py",
        """    if named := next((r for r in ours if r.provider_refund_id == fact.refund_id), None):
        return named
""",
        "",
        (f"{MONEY}::test_answers_to_every_call_that_moves_money_get_lost",),
    ),
    Mutant(
        "system: what is reserved for a refund can be refunded again",
        "services/payments/domain/amounts.py",
        'r.state != "failed"',
        'r.state == "succeeded"',
        (f"{MONEY}::test_thirty_refunds_at_once_give_back_what_fits",),
    ),
)
