"""Seeded bugs of the kit: the ways in which systems like this one lose or double messages."""

from tests.mutants.mutant import Mutant

KIT = "tests/integration/kit"
CRASH = f"{KIT}/test_crashes.py::test_a_death_at_this_place_loses_and_doubles_nothing"
OUTBOX = f"{KIT}/test_outbox.py"
OWNERS = f"{KIT}/test_owners.py"
LADDER = f"{KIT}/test_ladder.py"
POISON = f"{KIT}/test_poison.py"
FORGOTTEN = "test_what_one_left_who_had_lost_its_partition_is_forgotten_when_nothing_waits_there"
STORE = f"{KIT}/example/store.py"

_OUTBOX = (
    Mutant(
        "rows are deleted before Kafka has them",
        "shared/outbox.py",
        """        await self._publish(rows)
        passing("relay.after_publish")
        await self._delete([r.position for r in rows])
""",
        """        await self._delete([r.position for r in rows])
        await self._publish(rows)
""",
        (f"{OUTBOX}::test_rows_stay_until_kafka_has_them",),
    ),
    Mutant(
        "the relay is a cursor",
        "shared/outbox.py",
        "        PUBLISHED.inc(len(rows))\n",
        "        PUBLISHED.inc(len(rows))\n        self._floor.position = rows[-1].position\n",
        (f"{OUTBOX}::test_a_row_that_commits_after_a_later_one_was_published_is_published",),
    ),
    Mutant(
        "the floor passes rows that wait",
        "shared/outbox.py",
        "settled if lowest_pending is None else min(settled, lowest_pending - 1)",
        "settled",
        ("tests/unit/kit/test_floor.py",),
    ),
    Mutant(
        "the floor trusts positions that have not settled",
        "shared/outbox.py",
        "return value if now - read_at >= SETTLED_S else 0",
        "return value",
        ("tests/unit/kit/test_floor.py",),
    ),
    Mutant(
        "the relay does not keep the order",
        "shared/outbox.py",
        "        for row in rows:\n            by_topic",
        "        for row in reversed(rows):\n            by_topic",
        (f"{OUTBOX}::test_many_rows_of_many_keys_and_topics_leave_in_order",),
    ),
    Mutant(
        "rows are deleted without looking at the lease",
        "shared/outbox.py",
        """ AND EXISTS (
        SELECT 1 FROM leases WHERE name = :name AND owner = :owner AND until > clock_timestamp())\"\"\")""",
        """ AND :name <> :owner\"\"\")""",
        (f"{OUTBOX}::test_a_relay_whose_lease_another_has_publishes_and_deletes_nothing",),
    ),
    Mutant(
        "a lease is taken while another holds it",
        "shared/leases.py",
        " OR leases.until < clock_timestamp()",
        " OR true",
        (f"{OUTBOX}::test_one_holds_the_lease_and_the_next_gets_it_only_when_that_one_knows",),
    ),
    Mutant(
        "a process takes over the lease of a name alike",
        "shared/leases.py",
        "starts_with(leases.owner, :heir_of)",
        "leases.owner LIKE :heir_of || '%'",
        (f"{OUTBOX}::test_an_instance_of_a_name_alike_takes_no_lease_over",),
    ),
    Mutant(
        "a holder does not notice that its lease ran out",
        "shared/leases.py",
        "return time.monotonic() < self._until",
        "return self._until > 0",
        (f"{OUTBOX}::test_one_holds_the_lease_and_the_next_gets_it_only_when_that_one_knows",),
    ),
    Mutant(
        "two processes of one name share a lease",
        "shared/leases.py",
        'self.owner = f"{owner}/{secrets.token_hex(4)}"',
        'self.owner = f"{owner}/{len(secrets.token_hex(4))}"',
        (f"{OUTBOX}::test_a_new_process_of_the_same_name_takes_over_at_once_and_only_once",),
    ),
    Mutant(
        "cleaning deletes what is parked",
        "shared/inbox.py",
        "\n                  AND outcome <> 'parked' LIMIT :limit",
        " LIMIT :limit",
        (f"{OUTBOX}::test_cleaning_forgets_what_is_old_and_never_what_is_parked",),
    ),
    Mutant(
        "no partition is made ahead",
        "shared/service.py",
        '            await connection.execute(text("SELECT outbox_partitions_ahead()"))\n',
        '            await connection.execute(text("SELECT 1"))\n',
        (f"{OUTBOX}::test_the_archive_gets_its_next_partition_ahead_of_need",),
    ),
)

_INBOX = (
    Mutant(
        "offsets are committed before the database",
        "shared/subscribe.py",
        """                if await loop.handle([_record(r, prefix) for r in raw]):
                    await _commit(subscriber.consumer, raw, loop.label)
""",
        """                await _commit(subscriber.consumer, raw, loop.label)
                await loop.handle([_record(r, prefix) for r in raw])
""",
        (f"{CRASH}[example.before_db_commit:exit@2]",),
    ),
    Mutant(
        "a late batch sets back what another has committed",
        "shared/subscribe.py",
        """        if not self._assignment_of_batch.active or self._subscription.reassignment_in_progress:
            return False
""",
        "",
        (f"{KIT}/test_rebalances.py::test_a_late_commit_does_not_set_back_what_another_has_committed",),
    ),
    Mutant(
        "a loop that failed once holds its partitions and never reads again",
        "shared/consume.py",
        "                await self._wait(delay_s)\n            except",
        "                await self._stopping.wait()\n            except",
        ("tests/unit/kit/test_settling.py",),
    ),
    Mutant(
        "the inbox is claimed in a transaction of its own",
        "shared/apply.py",
        "            fresh, other_body = await inbox.claim(connection, self.consumer, batch)\n",
        """            async with self.engine.begin() as own:
                fresh, other_body = await inbox.claim(own, self.consumer, batch)
""",
        (f"{CRASH}[example.before_db_commit:exit@2]",),
    ),
    Mutant(
        "nothing is deduplicated",
        "shared/inbox.py",
        "    claimed = {row.message_id for row in rows}\n",
        "    claimed = set(first)\n",
        (f"{CRASH}[example.after_db_commit:exit@3]",),
    ),
    Mutant(
        "the inbox is claimed in the order of arrival",
        "shared/inbox.py",
        "[first[id_] for id_ in sorted(first)]",
        "list(first.values())",
        (f"{OWNERS}::test_two_owners_claim_the_same_ids_in_opposite_order_without_deadlock",),
    ),
    Mutant(
        "parked messages are dropped",
        "shared/apply.py",
        "            await inbox.park(connection, self.consumer, parkings)\n",
        "",
        (f"{LADDER}::test_one_good_message_between_bad_ones_keeps_the_loop_going",),
    ),
    Mutant(
        "the same id with another body goes unseen",
        "shared/inbox.py",
        "    return fresh, [i for i in rest if (i.id, i.fingerprint) in other]\n",
        "    return fresh, [i for i in rest if not other]\n",
        (f"{POISON}::test_the_same_id_with_another_body_is_parked_with_an_alarm",),
    ),
    Mutant(
        "the Kafka key is not compared with the subject",
        "shared/decoding.py",
        "if keyed and record.key",
        "if not keyed and record.key",
        (f"{POISON}::test_each_unreadable_command_is_parked_whole_and_the_others_flow",),
    ),
    Mutant(
        "a new version of a known event is skipped",
        "shared/decoding.py",
        'if type_.rpartition(".v")[0] in',
        'if type_.rpartition("?")[0] in',
        (f"{POISON}::test_unknown_events_are_skipped_and_new_versions_of_known_ones_parked",),
    ),
    Mutant(
        "an outage parks messages",
        "shared/database.py",
        "(*AWAY, Unavailable, WrongIsolation, MemoryError)",
        "(*AWAY, WrongIsolation, MemoryError)",
        (f"{LADDER}::test_an_outage_that_a_decider_meets_parks_nothing",),
    ),
    Mutant(
        "a failed batch is parked as a whole",
        "shared/consume.py",
        """        for incoming in batch:
            await self._alone(incoming)

    async def _applied""",
        """        for incoming in batch:
            await self._park(incoming, "its batch failed")

    async def _applied""",
        (f"{LADDER}::test_one_good_message_between_bad_ones_keeps_the_loop_going",),
    ),
    Mutant(
        "a bad release parks everything",
        "shared/consume.py",
        "if counted and self._parked_in_a_row + 1 >= PARKED_IN_A_ROW_MAX:",
        "if self._parked_in_a_row < 0:",
        (f"{LADDER}::test_twenty_refusals_in_a_row_stop_the_loop_and_lose_nothing",),
    ),
    Mutant(
        "the refusals in a row are counted per batch",
        "shared/consume.py",
        "records: Sequence[Record]) -> None:\n        batch, parkings",
        "records: Sequence[Record]) -> None:\n        self._parked_in_a_row = 0\n        batch, parkings",
        (f"{LADDER}::test_twenty_refusals_in_a_row_stop_the_loop_and_lose_nothing",),
    ),
    Mutant(
        "a replay acts on every click",
        "shared/inbox.py",
        "WHERE consumer = :consumer AND message_id = :id AND outcome = 'parked'\n    RETURNING",
        "WHERE consumer = :consumer AND message_id = :id\n    RETURNING",
        (f"{LADDER}::test_two_clicks_on_replay_act_once",),
    ),
    Mutant(
        "nobody counts the messages that kill",
        "shared/starts.py",
        "STARTS_MAX = 3 ",
        "STARTS_MAX = 3000 ",
        (f"{KIT}/test_killers.py",),
    ),
    Mutant(
        "a killed process leaves no mark",
        "shared/starts.py",
        "    SELECT EXISTS (SELECT 1 FROM before)",
        "    SELECT EXISTS (SELECT 1 FROM before WHERE false)",
        (f"{LADDER}::test_a_dirty_end_of_an_earlier_process_makes_the_first_batch_run_alone",),
    ),
    Mutant(
        "a partition that comes back is believed",
        "shared/subscribe.py",
        "            if subscriber.consumer.shared_out_anew:\n",
        "            if subscriber.consumer.shared_out_anew is None:\n",
        (f"{KIT}/test_starts.py::test_a_partition_that_comes_back_is_looked_at_again",),
    ),
    Mutant(
        "what one left that had lost its partition stays",
        "shared/subscribe.py",
        "[place for place, count in waiting.items() if not count]",
        "[]",
        (f"{KIT}/test_starts.py::{FORGOTTEN}",),
    ),
    Mutant(
        "the start of what is in hand is forgotten",
        "shared/consume.py",
        "        if not self._at_work.locked():\n            async with self._at_work:\n",
        "        if partitions:\n            if partitions:\n",
        (f"{KIT}/test_starts.py::{FORGOTTEN}",),
    ),
    Mutant(
        "transactions run at REPEATABLE READ",
        "shared/database.py",
        'isolation_level="READ COMMITTED"',
        'isolation_level="REPEATABLE READ"',
        (f"{OWNERS}::test_commands_from_both_sides_never_overdraw",),
    ),
    Mutant(
        "aggregates are loaded without a lock",
        STORE,
        'WHERE account = ANY(CAST(:keys AS text[])) ORDER BY account FOR NO KEY UPDATE""")\n\n_PAYOUTS',
        'WHERE account = ANY(CAST(:keys AS text[])) ORDER BY account""")\n\n_PAYOUTS',
        (f"{OWNERS}::test_commands_from_both_sides_never_overdraw",),
    ),
    Mutant(
        "children are read before the lock is held",
        STORE,
        """        rows = await connection.execute(_LOCK, wanted)
        accounts = {r.account: Account(r.account, r.deposited, r.version) for r in rows}
        children = await connection.execute(_PAYOUTS, wanted)
""",
        """        children = await connection.execute(_PAYOUTS, wanted)
        rows = await connection.execute(_LOCK, wanted)
        accounts = {r.account: Account(r.account, r.deposited, r.version) for r in rows}
""",
        (f"{OWNERS}::test_commands_from_both_sides_never_overdraw",),
    ),
)

MUTANTS = (*_OUTBOX, *_INBOX)
