"""The provider's own records and its settlement lines: kept as they are listed, page by page."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.items import Key, Theirs
from services.reconciler.domain.runs import Window
from services.reconciler.store import unnamed
from services.reconciler.store.columns import column, numbers, times, unnested
from services.reconciler.store.runs import Progress
from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, SettlementLine

Fact = ChargeFact | RefundFact | DisputeFact


def theirs_of(fact: Fact, known: dict[str, str]) -> Theirs:
    """A fact as a record. `known`: our own refunds that have no id of the provider's yet."""
    if isinstance(fact, ChargeFact):
        return Theirs(
            "charge", fact.charge_id, fact.charge_id, fact.provider_order_id, fact.state, fact.amount,
            fact.currency, fact.at, fee=fact.fee,
        )  # fmt: skip
    if isinstance(fact, RefundFact):
        id_ = known.get(fact.reference, fact.refund_id)
        return Theirs("refund", id_, fact.charge_id, "", fact.state, fact.amount, fact.currency, fact.at)
    return Theirs(
        "dispute", fact.dispute_id, fact.charge_id, "", fact.state, fact.amount, fact.currency, fact.at,
        money=fact.money, moved_at=fact.moved_at,
    )  # fmt: skip


async def keep_records(connection: AsyncConnection, run: Progress, facts: Sequence[Fact]) -> None:
    """Keeps what the provider listed in this run; repeated, the last word stands."""
    window = run.window
    references = [f.reference for f in facts if isinstance(f, RefundFact) and f.reference]
    known: dict[str, str] = {}
    if references:
        asked = {"provider": window.provider, "account": window.account, "ids": references}
        known = {r.refund_id: r.subject for r in await connection.execute(_UNNAMED, asked)}
    records = {(r.object, r.id): r for r in (theirs_of(f, known) for f in facts)}
    await put(connection, window, [records[key] for key in sorted(records)], listed_by=run)


async def put(
    connection: AsyncConnection, window: Window, records: Sequence[Theirs], listed_by: Progress | None = None
) -> None:
    """Writes records, each key once. With `listed_by` they are subjects of that run, too."""
    if not records:
        return
    columns = {
        "provider": window.provider,
        "account": window.account,
        "objects": column([r.object for r in records]),
        "ids": column([r.id for r in records]),
        "charges": column([r.charge_id for r in records]),
        "orders": column([r.provider_order_id for r in records]),
        "states": column([r.state for r in records]),
        "moneys": column([r.money for r in records]),
        "amounts": numbers(r.amount for r in records),
        "currencies": column([r.currency for r in records]),
        "fees": numbers(r.fee for r in records),
        "ats": times(r.at for r in records),
    }
    await connection.execute(_PUT, columns)
    if listed_by is not None:
        keys = {name: columns[name] for name in ("objects", "ids")}
        await connection.execute(_LISTED, keys | {"run": listed_by.serial})


async def remove(connection: AsyncConnection, window: Window, keys: Sequence[Key]) -> None:
    """The provider says that it has no such records."""
    if keys:
        await connection.execute(_REMOVE, _pairs(window, keys))


async def keep_lines(connection: AsyncConnection, run: Progress, lines: Sequence[SettlementLine]) -> None:
    """Keeps lines of the account; a repetition may name the settlement that paid it out since."""
    window = run.window
    unique = {x.line_id: x for x in lines}
    if not unique:
        return
    found = await unnamed.keys(connection, window, lines)
    # By what they are about, as their subjects are and the index by which they are looked up.
    about = sorted(((x, *(found.get(x.line_id) or _about(x))) for x in unique.values()), key=_subject_first)
    columns = {
        "provider": window.provider,
        "account": window.account,
        "lines": column([x.line_id for x, _, _ in about]),
        "kinds": column([x.kind for x, _, _ in about]),
        "objects": column([object_ for _, object_, _ in about]),
        "ids": column([subject for _, _, subject in about]),
        "charges": column([x.charge_id for x, _, _ in about]),
        "amounts": numbers(x.amount for x, _, _ in about),
        "fees": numbers(x.fee for x, _, _ in about),
        "nets": numbers(x.net for x, _, _ in about),
        "currencies": column([x.currency for x, _, _ in about]),
        "rates": column([x.rate for x, _, _ in about]),
        "settlements": column([x.settlement_id for x, _, _ in about]),
        "ats": times(x.at for x, _, _ in about),
    }
    await connection.execute(_PUT_LINES, columns)
    keys = {name: columns[name] for name in ("objects", "ids")}
    await connection.execute(_SUBJECTS, keys | {"run": run.serial})


def _about(line: SettlementLine) -> Key:
    """What the line says that it is about, if anything."""
    if line.kind == "payment" and line.charge_id:
        return "charge", line.charge_id
    if line.kind == "refund" and line.refund_id:
        return "refund", line.refund_id
    if line.kind == "dispute" and line.dispute_id:
        return "dispute", line.dispute_id
    return "", ""


def _subject_first(row: tuple[SettlementLine, str, str]) -> tuple[str, str, str]:
    line, object_, subject = row
    return subject, object_, line.line_id


async def has_read(
    connection: AsyncConnection, window: Window, leg: str, since: datetime, until: datetime
) -> None:
    """So much of a leg is read. What was read before a gap is forgotten; what is older is ignored."""
    columns = {"provider": window.provider, "account": window.account, "leg": leg}
    await connection.execute(_HAS_READ, columns | {"since": since, "until": until})


async def watermarks(
    connection: AsyncConnection, provider: str, account: str
) -> dict[str, tuple[datetime, datetime]]:
    """From when to when each leg has been read without a gap."""
    rows = await connection.execute(
        text("SELECT leg, since, until FROM watermarks WHERE provider = :provider AND account = :account"),
        {"provider": provider, "account": account},
    )
    return {row.leg: (row.since, row.until) for row in rows}


def _pairs(window: Window, keys: Sequence[Key]) -> dict[str, str]:
    return {
        "provider": window.provider,
        "account": window.account,
        "objects": column([k[0] for k in keys]),
        "ids": column([k[1] for k in keys]),
    }


_KEYS = unnested(objects="text", ids="text")
_RECORDS = unnested(
    objects="text", ids="text", charges="text", orders="text", states="text", moneys="text",
    amounts="bigint", currencies="text", fees="bigint", ats="timestamptz",
)  # fmt: skip
_LINES = unnested(
    lines="text", kinds="text", objects="text", ids="text", charges="text", amounts="bigint",
    fees="bigint", nets="bigint", currencies="text", rates="text", settlements="text", ats="timestamptz",
)  # fmt: skip
_UNNAMED: TextClause = text("""
    SELECT refund_id, subject FROM refunds
    WHERE provider = :provider AND account = :account AND refund_id = ANY(CAST(:ids AS text[]))
      AND subject = refund_id""")
_PUT = text(f"""
    INSERT INTO provider_records AS r (provider, account, object, subject, charge_id, provider_order_id,
                                       state, money, amount, currency, fee, at)
    SELECT :provider, :account, * FROM {_RECORDS} n
    ON CONFLICT (provider, account, object, subject) DO UPDATE
    SET charge_id = excluded.charge_id, provider_order_id = excluded.provider_order_id,
        state = excluded.state, money = excluded.money, amount = excluded.amount,
        currency = excluded.currency, fee = excluded.fee, at = excluded.at
    WHERE (r.state, r.money, r.amount, r.currency, r.fee, r.at) IS DISTINCT FROM
          (excluded.state, excluded.money, excluded.amount, excluded.currency, excluded.fee, excluded.at)""")  # noqa: S608 - our own names
_LISTED = text(f"""
    INSERT INTO run_subjects AS s (run, subject, object, listed)
    SELECT :run, id, object, true FROM {_KEYS} AS k (object, id)
    ON CONFLICT (run, subject, object) DO UPDATE SET listed = true WHERE NOT s.listed""")  # noqa: S608 - our own names
_SUBJECTS = text(f"""
    INSERT INTO run_subjects (run, subject, object, listed)
    SELECT :run, id, object, false FROM {_KEYS} AS k (object, id) WHERE object <> ''
    ON CONFLICT DO NOTHING""")  # noqa: S608 - our own names
_REMOVE = text(f"""
    DELETE FROM provider_records r USING {_KEYS} AS k (object, id)
    WHERE r.provider = :provider AND r.account = :account AND r.object = k.object AND r.subject = k.id""")  # noqa: S608 - our own names
_PUT_LINES = text(f"""
    INSERT INTO settlement_lines AS l (provider, account, line_id, kind, object, subject, charge_id, amount,
                                       fee, net, currency, rate, settlement_id, at)
    SELECT :provider, :account, line_id, kind, nullif(object, ''), subject, charge_id, amount, fee, net,
           currency, rate, settlement_id, at
    FROM {_LINES} AS n (line_id, kind, object, subject, charge_id, amount, fee, net, currency, rate,
                        settlement_id, at)
    ON CONFLICT (provider, account, line_id) DO UPDATE
    SET object = excluded.object, subject = excluded.subject, amount = excluded.amount, fee = excluded.fee,
        net = excluded.net, currency = excluded.currency, rate = excluded.rate, at = excluded.at,
        settlement_id = excluded.settlement_id
    WHERE (l.object, l.subject, l.amount, l.fee, l.net, l.currency, l.rate, l.settlement_id, l.at)
          IS DISTINCT FROM (excluded.object, excluded.subject, excluded.amount, excluded.fee, excluded.net,
                            excluded.currency, excluded.rate, excluded.settlement_id, excluded.at)""")  # noqa: S608 - our own names
_HAS_READ = text("""
    INSERT INTO watermarks AS w (provider, account, leg, since, until)
    VALUES (:provider, :account, :leg, :since, :until)
    ON CONFLICT (provider, account, leg) DO UPDATE
    SET since = CASE WHEN excluded.since <= w.until THEN least(w.since, excluded.since)
                     ELSE excluded.since END,
        until = greatest(w.until, excluded.until)
    WHERE excluded.until >= w.since""")
