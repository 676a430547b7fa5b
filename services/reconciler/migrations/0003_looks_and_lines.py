"""Looks are counted; a settlement line finds the dispute that only the provider's list knows."""

from alembic import op

revision = "0003"
down_revision = "0002"

RECORDS = """
CREATE INDEX provider_disputes_by_charge ON provider_records (charge_id, provider, account)
    WHERE object = 'dispute';
"""

# Looks that nobody asked for, over all occurrences; what was looked at before this release counts once.
LOOKS = """
ALTER TABLE mismatches ADD looks integer NOT NULL DEFAULT 0 CHECK (looks >= 0), ADD looked_at timestamptz;
UPDATE mismatches m SET looks = 1, looked_at = a.at
FROM (SELECT mismatch_id, max(at) AS at FROM mismatch_audit WHERE what = 'sent' AND text = 'look_again'
      GROUP BY mismatch_id) a
WHERE m.mismatch_id = a.mismatch_id;
"""


def upgrade() -> None:
    op.execute(LOOKS)
    op.execute(RECORDS)
