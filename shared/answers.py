"""Stored answers: the same idempotency key gets the same answer, whoever asks and however often.

The key is claimed before the aggregates are locked (sorted, so that two batches cannot deadlock) and
judged under the order's lock. Source of the rules: IETF draft "The Idempotency-Key HTTP Header Field".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decision import Answer
from shared.messages.base import IdempotencyKey

RETENTION_DAYS = 90  # the promise is 24 h; a client that repeats later than this asks something new


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of a key. `mine`: this message is the first to use it."""

    mine: bool
    subject: str
    fingerprint: bytes
    code: str | None = None
    detail: str | None = None
    answer: bytes | None = None

    def judge(self, correlation_id: str | None, subject: str, asked: IdempotencyKey) -> Answer | None:
        """The answer a repetition gets, or None when the command is to be decided now."""
        if self.mine:
            return None
        if self.subject != subject or self.fingerprint != asked.fingerprint:
            detail = "this key was used for another request; use a new key for a new request"
            return Answer(correlation_id, "idempotency-key-reused", detail=detail)
        if self.code is None or self.answer is None:
            return Answer(correlation_id, "in-progress", detail="the first request with this key still runs")
        return Answer(correlation_id, self.code, self.answer, self.detail or "")


_CLAIM = text("""
    INSERT INTO stored_answers (principal, key, subject, fingerprint)
    SELECT * FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), CAST(:subjects AS text[]),
                         CAST(:fingerprints AS bytea[]))
    ON CONFLICT DO NOTHING RETURNING principal, key""")

_READ = text("""
    SELECT s.principal, s.key, s.subject, s.fingerprint, s.code, s.detail, s.answer FROM stored_answers s
    JOIN unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) AS wanted (principal, key)
      USING (principal, key)""")

_STORE = text("""
    UPDATE stored_answers s
    SET code = new.code, detail = new.detail, answer = new.answer, answered_at = clock_timestamp()
    FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), CAST(:codes AS text[]),
                CAST(:details AS text[]), CAST(:answers AS bytea[]))
         AS new (principal, key, code, detail, answer)
    WHERE s.principal = new.principal AND s.key = new.key AND s.code IS NULL""")


async def claim(
    connection: AsyncConnection, asked: Sequence[tuple[str, IdempotencyKey]]
) -> dict[tuple[str, str], Claim]:
    """Claims each (subject, key) once; gives what is known of every key afterwards."""
    first: dict[tuple[str, str], tuple[str, IdempotencyKey]] = {}
    for subject, key in asked:
        first.setdefault((key.principal, key.key), (subject, key))
    ordered = [first[pair] for pair in sorted(first)]
    parameters = {
        "principals": [k.principal for _, k in ordered],
        "keys": [k.key for _, k in ordered],
        "subjects": [s for s, _ in ordered],
        "fingerprints": [k.fingerprint for _, k in ordered],
    }
    mine = {(r.principal, r.key) for r in await connection.execute(_CLAIM, parameters)}
    known = await _read(connection, sorted(first))
    return {pair: replace(claim, mine=pair in mine) for pair, claim in known.items()}


async def refresh(connection: AsyncConnection, claims: dict[tuple[str, str], Claim]) -> None:
    """Reads again what had no answer yet, now that the aggregates' locks keep everyone from writing one."""
    running = sorted(pair for pair, claim in claims.items() if not claim.mine and claim.code is None)
    if running:
        claims |= await _read(connection, running)


async def _read(
    connection: AsyncConnection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Claim]:
    wanted = {"principals": [p for p, _ in pairs], "keys": [k for _, k in pairs]}
    return {
        (r.principal, r.key): Claim(
            mine=False, subject=r.subject, fingerprint=r.fingerprint, code=r.code, detail=r.detail,
            answer=r.answer,
        )
        for r in await connection.execute(_READ, wanted)
    }  # fmt: skip


async def store(connection: AsyncConnection, answers: Sequence[Answer]) -> None:
    """Keeps the first final answer of each key."""
    first: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        if answer.stored_under is not None:
            first.setdefault(answer.stored_under, answer)
    if first:
        final = list(first.values())
        parameters = {
            "principals": [principal for principal, _ in first],
            "keys": [key for _, key in first],
            "codes": [a.code for a in final],
            "details": [a.detail for a in final],
            "answers": [a.answer for a in final],
        }
        await connection.execute(_STORE, parameters)


async def delete_old(connection: AsyncConnection, limit: int = 5000) -> int:
    """Deletes some keys past their retention."""
    result = await connection.execute(
        text("""
            DELETE FROM stored_answers WHERE (principal, key) IN (
                SELECT principal, key FROM stored_answers
                WHERE created_at < now() - make_interval(days => :days) LIMIT :limit)"""),
        {"days": RETENTION_DAYS, "limit": limit},
    )
    return result.rowcount
