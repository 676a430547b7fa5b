"""Which order a refund belongs to. The first revision's default privileges cover the table."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE refunds (
    refund_id text PRIMARY KEY,
    order_id text NOT NULL
);
INSERT INTO refunds (refund_id, order_id)
SELECT refund ->> 'refund_id', p.order_id FROM payments p, json_array_elements(p.snapshot -> 'refunds') refund
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    op.execute(TABLES)
