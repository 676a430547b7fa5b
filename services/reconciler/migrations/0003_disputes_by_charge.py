"""A settlement line that names a charge alone finds the dispute that the provider's list knows of it."""

from alembic import op

revision = "0003"
down_revision = "0002"

RECORDS = """
CREATE INDEX provider_disputes_by_charge ON provider_records (charge_id, provider, account)
    WHERE object = 'dispute';
"""


def upgrade() -> None:
    op.execute(RECORDS)
