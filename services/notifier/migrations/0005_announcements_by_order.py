"""What was announced of an order is found by its index: an erasure looks for it among all of them."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("CREATE INDEX outbox_by_key ON outbox (record_key)")
