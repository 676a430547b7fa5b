"""Customers are erased on request, and only a role of its own may blank what was kept of them."""

from alembic import op

from shared.kit_tables import append_only
from shared.privacy.tables import ERASURE_TABLES, eraser_grants

revision = "0004"
down_revision = "0003"

TABLES = """
ALTER TABLE payments ADD erased boolean NOT NULL DEFAULT false;

-- An order as JSON names its customer; who is erased is found by the address, in one spelling.
CREATE FUNCTION customer_email(json_text bytea, place text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(btrim(convert_from(json_text, 'UTF8')::json #>> place));
CREATE INDEX payments_by_customer ON payments (customer_email(content, '{customer,email}'));
CREATE INDEX outbox_by_customer ON outbox (customer_email(payload, '{data,customer,email}'))
    WHERE topic = 'orders.events';
CREATE INDEX provider_events_unmatched ON provider_events (received_at)
    WHERE order_id IS NULL AND erased_at IS NULL;

-- As before, and the service's own role cannot change what a partition keeps.
CREATE OR REPLACE FUNCTION make_event_partitions(days integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE day date; name text;
BEGIN
    FOR day IN SELECT generate_series(current_date, current_date + days, '1 day')::date LOOP
        name := 'provider_events_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL OR EXISTS (
            SELECT FROM provider_events_rest
            WHERE received_at >= day::timestamptz AND received_at < (day + 1)::timestamptz);
        EXECUTE format('CREATE TABLE %I PARTITION OF provider_events FOR VALUES FROM (%L) TO (%L)',
                       name, day::timestamptz, (day + 1)::timestamptz);
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM payments_app', name);
    END LOOP;
END $$;
"""

RIGHTS = """
GRANT UPDATE (order_id, outcome, version_before, version_after) ON provider_events TO payments_app;
REVOKE INSERT, UPDATE, DELETE ON raw_erasure FROM payments_app;
GRANT UPDATE (body, headers, erased_at, body_sha256, facts) ON provider_events TO payments_eraser;
GRANT INSERT, UPDATE ON raw_erasure TO payments_eraser;
GRANT UPDATE (content, fingerprint) ON payments TO payments_eraser;
"""


def upgrade() -> None:
    op.execute(ERASURE_TABLES)
    op.execute(TABLES)
    op.execute(eraser_grants("payments"))
    op.execute(append_only("provider_events", "payments_app"))
    op.execute(RIGHTS)
