"""Seeded bugs of the kit: the ways in which outside work is lost or done twice, and a stop that is none."""

from tests.mutants.mutant import Mutant

KIT = "tests/integration/kit"
CRASH = f"{KIT}/test_crashes.py::test_a_death_at_this_place_loses_and_doubles_nothing"
OUTBOX = f"{KIT}/test_outbox.py"
TASKS = f"{KIT}/test_tasks.py"
OWNERS = f"{KIT}/test_owners.py"
BOTH = "tests/integration/subscribers/test_survival.py"
SERVER_DIES = "test_a_server_dies_in_the_middle_of_a_run_and_of_a_burst_of_paid_orders"
ANSWERS = f"{KIT}/test_answers.py"

_TASKS = (
    Mutant(
        "every claim believes it is the first",
        "shared/tasks.py",
        "return self.claims == 1",
        "return self.claims >= 1",
        (f"{CRASH}[tasks.performed:exit@2]",),
    ),
    Mutant(
        "a task is claimed while another holds it",
        "shared/tasks.py",
        "AND (lease_until IS NULL OR lease_until +",
        "AND (lease_until IS NULL OR true OR lease_until +",
        (f"{TASKS}::test_two_workers_never_hold_one_task_and_the_second_claim_looks_up",),
    ),
    Mutant(
        "a late worker frees what another holds",
        "shared/tasks.py",
        "WHERE id = :id AND lease_owner = :owner AND claims = :claims AND closed_at IS NULL",
        "WHERE id = :id AND :owner <> '' AND :claims > 0 AND closed_at IS NULL",
        (f"{TASKS}::test_two_workers_never_hold_one_task_and_the_second_claim_looks_up",),
    ),
    Mutant(
        "a result is lost while the database is away",
        "shared/tasks.py",
        "                if caused_by_message(error):\n                    raise\n",
        "                if error:\n                    raise\n",
        (f"{TASKS}::test_a_result_waits_for_the_database_and_is_not_lost",),
    ),
    Mutant(
        "a task that met an outage stays leased",
        "shared/tasks.py",
        "                await asyncio.sleep(pause_s)\n",
        "                return\n",
        (f"{BOTH}::{SERVER_DIES}[postgres]",),
    ),
    Mutant(
        "the outside is called after the lease",
        "shared/tasks.py",
        "        if time.monotonic() >= deadline:",
        "        if time.monotonic() >= deadline + 1e9:",
        (f"{TASKS}::test_a_process_that_was_frozen_past_its_lease_does_not_call",),
    ),
    Mutant(
        "a wish during the run is swallowed",
        "shared/task_rows.py",
        "ELSE least(tasks.again_at, excluded.due_at) END",
        "ELSE NULL END",
        (f"{TASKS}::test_a_wish_during_the_run_makes_it_run_again",),
    ),
    Mutant(
        "the oldest task goes before the urgent one",
        "shared/tasks.py",
        "ORDER BY priority, due_at LIMIT free.room",
        "ORDER BY due_at, priority DESC LIMIT free.room",
        (f"{TASKS}::test_the_urgent_goes_first_and_a_full_kind_does_not_hide_the_others",),
    ),
    Mutant(
        "a task that kills is claimed at once, for ever",
        "shared/tasks.py",
        "LOST_FREE = 3 ",
        "LOST_FREE = 3000 ",
        (f"{TASKS}::test_a_task_that_kills_its_process_is_claimed_later_and_later",),
    ),
    Mutant(
        "tasks are closed before the account is locked",
        "shared/apply.py",
        "            replies = await self.within(connection, results)\n",
        """            await task_rows.close(connection, [r.task_id for r in results if r.task_id])
            replies = await self.within(connection, results)
""",
        (f"{OWNERS}::test_a_result_holds_no_task_while_it_waits_for_the_account",),
    ),
)

_ANSWERS = (
    Mutant(
        "a stored answer is ignored",
        "shared/answers.py",
        "        if self.mine:\n            return None\n",
        "        if self.mine or self.code is not None:\n            return None\n",
        (f"{ANSWERS}::test_a_repeated_key_gets_the_stored_answer_and_acts_once",),
    ),
    Mutant(
        "refusals are not stored",
        "shared/answers.py",
        "        if answer.stored_under is not None:\n            first",
        '        if answer.stored_under is not None and answer.code == "ok":\n            first',
        (f"{ANSWERS}::test_a_refusal_is_stored_too",),
    ),
    Mutant(
        "a key is not compared with what it was used for",
        "shared/answers.py",
        "if self.subject != subject or self.fingerprint != asked.fingerprint:",
        "if self.subject != subject and self.fingerprint != asked.fingerprint:",
        (f"{ANSWERS}::test_a_key_used_for_something_else_is_refused_over_all_accounts",),
    ),
    Mutant(
        "an expired command keeps its key",
        "shared/apply.py",
        "if (key := _key_of(i)) is not None and not _expired(i, now)]",
        "if (key := _key_of(i)) is not None]",
        (f"{ANSWERS}::test_an_expired_command_does_nothing_and_leaves_its_key_free",),
    ),
    Mutant(
        "an expired command is carried out",
        "shared/apply.py",
        "return expires_at is not None and expires_at < now",
        "return expires_at is not None and expires_at > now",
        (f"{ANSWERS}::test_an_expired_command_does_nothing_and_leaves_its_key_free",),
    ),
)

_LIFE = (
    Mutant(
        "the relay does not flush when the service stops",
        "shared/service.py",
        "            await asyncio.wait({self._relaying}, timeout=5)\n",
        "            self._relaying.cancel()\n",
        (f"{OUTBOX}::test_an_orderly_stop_publishes_what_is_left",),
    ),
    Mutant(
        "a publisher never gives up",
        "shared/publish.py",
        "async with asyncio.timeout(self._give_up_s):",
        "async with asyncio.timeout(None):",
        (f"{KIT}/test_servers_away.py::test_a_publisher_gives_up_in_time_and_recovers_by_itself",),
    ),
)

MUTANTS = (*_TASKS, *_ANSWERS, *_LIFE)
