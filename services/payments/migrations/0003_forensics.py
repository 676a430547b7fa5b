"""What each webhook changed and how often it came, what people did, and indexes for what waits for them."""

from alembic import op

from shared.kit_tables import grants

revision = "0003"
down_revision = "0002"

TABLES = """
-- Filled by the transaction that decided: whose it was, and what it changed.
ALTER TABLE provider_events
    ADD order_id text,
    ADD outcome text CHECK (outcome IN ('changed', 'nothing_new', 'hint', 'unmatched', 'not_ours')),
    ADD version_before bigint,
    ADD version_after bigint,
    -- what stays when the bytes and headers go
    ADD erased_at timestamptz,
    ADD body_sha256 bytea,
    ADD facts jsonb,
    ADD CHECK ((erased_at IS NULL) = (body_sha256 IS NULL)),
    ADD CHECK (erased_at IS NULL OR octet_length(body) = 0);
-- What came of an order is asked by the order, also where only a charge was named.
DROP INDEX provider_events_by_order;
CREATE INDEX provider_events_of_order ON provider_events (order_id) WHERE order_id IS NOT NULL;

-- Deliveries after the first one: a narrow row, so that a repetition never rewrites a body.
CREATE TABLE provider_event_repeats (
    message_id text PRIMARY KEY,
    times integer NOT NULL CHECK (times > 0),
    last_at timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE provider_last_heard (
    provider text NOT NULL,
    account text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, account)
);

-- Up to where raw bytes are gone; one row.
CREATE TABLE raw_erasure (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    received_at timestamptz NOT NULL,
    message_id text NOT NULL
);

-- Who asked for what, why, and what was decided. It only grows.
CREATE TABLE operator_actions (
    person text NOT NULL CHECK (person <> ''),
    nonce text NOT NULL CHECK (nonce <> ''),
    at timestamptz NOT NULL DEFAULT now(),
    order_id text NOT NULL,
    command text NOT NULL,
    asked jsonb NOT NULL,
    reason text NOT NULL,
    message_id text NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (person, nonce)
);
CREATE INDEX operator_actions_of_order ON operator_actions (order_id);

-- The story of one payment reads its events; the money at risk reads only what is not settled.
CREATE INDEX outbox_by_key ON outbox (record_key);
CREATE INDEX payments_with_open_flags ON payments (order_id)
    WHERE flags @? '$[*] ? (@.resolved_at == null)';
CREATE INDEX payment_attempts_unanswered ON payment_attempts (created_at) WHERE status = 'unanswered';

-- As before, and a day that the rest has rows of stays there: the days after it get their own again.
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
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(grants("payments_app"))
    op.execute("REVOKE UPDATE, DELETE ON operator_actions FROM payments_app")
    op.execute("GRANT EXECUTE ON FUNCTION make_event_partitions(integer) TO payments_app")
