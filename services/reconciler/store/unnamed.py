"""Settlement lines of disputes and reversals that do not say of which: filed under what is known by now.

A reversal (PayPal) carries the id under which its order may list it as a refund; when our book has a refund
of that id the line is that refund's. Otherwise it is the dispute's, of which a charge has one at a time. What
nobody has told us of yet stands for itself, under its charge, until somebody does.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.items import Key
from services.reconciler.domain.runs import Window
from shared.messages.facts import SettlementLine


async def keys(
    connection: AsyncConnection, window: Window, lines: Sequence[SettlementLine]
) -> dict[str, Key]:
    """What each such line is about, by the line's id."""
    unnamed = [x for x in lines if x.kind == "dispute" and not x.dispute_id and x.charge_id]
    if not unnamed:
        return {}
    asked = {
        "provider": window.provider,
        "account": window.account,
        "charges": [x.charge_id for x in unnamed],
        "refunds": [x.refund_id for x in unnamed if x.refund_id],
    }
    refunds = set((await connection.execute(_REFUNDS, asked)).scalars())
    disputes = {r.charge_id: r.dispute_id for r in await connection.execute(_DISPUTES, asked)}
    return {x.line_id: _key(x, refunds, disputes) for x in unnamed}


def _key(line: SettlementLine, refunds: set[str], disputes: dict[str, str]) -> Key:
    if line.refund_id in refunds:
        return "refund", line.refund_id
    return "dispute", disputes.get(line.charge_id, f"of:{line.charge_id}:{line.refund_id}")


async def name(connection: AsyncConnection, provider: str, account: str) -> None:
    """Files those that stood for themselves under the refund or dispute that is known by now."""
    asked = {"provider": provider, "account": account}
    await connection.execute(_NAME_REFUNDS, asked)
    await connection.execute(_NAME_DISPUTES, asked)


_REFUNDS = text("""
    SELECT subject FROM refunds
    WHERE provider = :provider AND account = :account AND subject = ANY(CAST(:refunds AS text[]))""")
_DISPUTES = text("""
    SELECT DISTINCT ON (charge_id) charge_id, dispute_id FROM (
        SELECT charge_id, dispute_id, at FROM disputes
        WHERE provider = :provider AND account = :account AND charge_id = ANY(CAST(:charges AS text[]))
        UNION ALL
        SELECT charge_id, subject, at FROM provider_records
        WHERE provider = :provider AND account = :account AND object = 'dispute'
          AND charge_id = ANY(CAST(:charges AS text[]))) known
    ORDER BY charge_id, at, dispute_id""")
_UNNAMED = """
    SELECT line_id, charge_id, split_part(subject, ':', 3) AS refund_id FROM settlement_lines
    WHERE subject >= 'of:' AND subject < 'of;' AND object = 'dispute'
      AND provider = :provider AND account = :account"""
_NAME_REFUNDS = text(f"""
    UPDATE settlement_lines l SET object = 'refund', subject = r.subject
    FROM ({_UNNAMED}) unnamed
    JOIN refunds r ON r.subject = unnamed.refund_id AND r.provider = :provider AND r.account = :account
    WHERE l.line_id = unnamed.line_id AND l.provider = :provider AND l.account = :account""")  # noqa: S608 - our own names
_NAME_DISPUTES = text(f"""
    UPDATE settlement_lines l SET subject = d.dispute_id
    FROM ({_UNNAMED}) unnamed
    CROSS JOIN LATERAL (
        SELECT dispute_id, at FROM disputes
        WHERE charge_id = unnamed.charge_id AND provider = :provider AND account = :account
        UNION ALL
        SELECT subject, at FROM provider_records
        WHERE object = 'dispute' AND charge_id = unnamed.charge_id AND provider = :provider
          AND account = :account
        ORDER BY at, dispute_id LIMIT 1) d
    WHERE l.line_id = unnamed.line_id AND l.provider = :provider AND l.account = :account""")  # noqa: S608 - our own names
