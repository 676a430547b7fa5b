"""A run in the middle survives an upgrade: all that differs is found once, whatever it had marked before."""

import random
import shutil
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from services.reconciler.app import MIGRATIONS
from services.reconciler.domain.runs import Window
from shared.database import migrate
from tests.integration.reconciler.bench import ACCOUNT, NAME, Bench, Memory, books_of
from tests.servers import DatabaseUrls
from tests.unit.reconciler.ledgers import DAY, drawn

SINCE, UNTIL = DAY, DAY + timedelta(days=9)
# Its marks as the release before left them: everything is listed, and compared as far as ids go.
MARKS = """
    INSERT INTO runs (provider, account, since, until, number, open, run_id, requested_at, leg, gathered,
                      compared_object, compared_after, compared, ours, theirs, settled, agreed)
    VALUES ($1, $2, $3, $4, 1, true, $5, now(), 11, true, 'refund', 'zzzz', 7, 7, 7, 7, 7)"""
SUBJECT = "INSERT INTO run_subjects (run_id, object, subject, listed) VALUES ($1, 'charge', 'pay_1', true)"
MOVE_OF_BEFORE = "UPDATE runs SET leg = 1 WHERE compared_after = ''"


async def test_a_run_in_the_middle_begins_anew_and_finds_all(own_urls: DatabaseUrls, tmp_path: Path) -> None:
    for number in range(1, 5):
        (revision,) = MIGRATIONS.glob(f"000{number}_*.py")
        shutil.copy(revision, tmp_path)
    await migrate(own_urls.owner("reconciler"), "reconciler", tmp_path)
    window = Window(NAME, ACCOUNT, SINCE, UNTIL, number=1)
    url = own_urls.admin.replace("+asyncpg", "")
    old = await asyncpg.connect(url, server_settings={"search_path": "reconciler"})
    await old.execute(MARKS, NAME, ACCOUNT, SINCE, UNTIL, window.run_id)
    await old.execute(SUBJECT, window.run_id)

    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await old.execute(MOVE_OF_BEFORE)
    await old.close()

    ledger = drawn(random.Random(23), 60)
    bench = Bench(own_urls, Memory(dict(ledger.theirs), list(ledger.lines)))
    await bench.fill(books_of(ledger), UNTIL)
    done = await bench.run(SINCE, UNTIL)
    assert (done.number, done.mismatches) == (1, len(ledger.expected))
    assert set(await bench.rows("SELECT kind, subject FROM mismatches WHERE open")) == ledger.expected
    async with bench.engine.connect() as connection:
        compared = (await connection.execute(text("SELECT compared FROM runs"))).scalar_one()
        subjects = (await connection.execute(text("SELECT count(*) FROM run_subjects"))).scalar_one()
    assert compared == subjects
    await bench.engine.dispose()
