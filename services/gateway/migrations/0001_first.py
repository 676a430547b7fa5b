"""The gateway's own tables: what was said on payments.events, and the rate limits."""

from alembic import op

from shared.kit_tables import KIT_TABLES, grants

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE payments (
    order_id text PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    snapshot json NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Who reads changes in the order of this column, below the oldest open transaction, misses none.
    changed_by xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX payments_by_change ON payments (changed_by, order_id);
CREATE INDEX payments_by_update ON payments (updated_at);

CREATE TABLE payment_history (
    order_id text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    event text NOT NULL,
    status text NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- Unlogged: a crash forgets a minute of counting, and a request writes nothing to the log.
CREATE UNLOGGED TABLE rate_limits (
    bucket text PRIMARY KEY,
    due_at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    op.execute(KIT_TABLES)
    op.execute(TABLES)
    op.execute(grants("gateway_app"))
