"""Stored answers: the same idempotency key gets the same answer, whoever asks and however often.

The key is claimed before the aggregates are locked (sorted, so that two batches cannot deadlock) and
judged under the order's lock. Source of the rules: IETF draft "The Idempotency-Key HTTP Header Field".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decision import Answer


class IdempotencyKey(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a command: who asked, under which key, and a hash of what was asked."""

    principal: str
    key: str
    fingerprint: bytes


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
    JOIN unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) AS w (principal, key) USING (principal, key)""")

_STORE = text("""
    UPDATE stored_answers SET code = :code, detail = :detail, answer = :answer, answered_at = now()
    WHERE principal = :principal AND key = :key AND code IS NULL""")


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
    parameters = {"principals": parameters["principals"], "keys": parameters["keys"]}
    return {
        (r.principal, r.key): Claim(
            (r.principal, r.key) in mine, r.subject, r.fingerprint, r.code, r.detail, r.answer
        )
        for r in await connection.execute(_READ, parameters)
    }


async def store(connection: AsyncConnection, answers: Sequence[Answer]) -> None:
    """Keeps the first final answer of each key."""
    for answer in answers:
        if answer.stored_under is not None:
            principal, key = answer.stored_under
            await connection.execute(
                _STORE,
                {
                    "principal": principal,
                    "key": key,
                    "code": answer.code,
                    "detail": answer.detail,
                    "answer": answer.answer,
                },
            )
