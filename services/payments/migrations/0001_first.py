"""The tables of payments."""

from alembic import op

from services.payments.domain.status import reachable
from shared.kit_tables import KIT_TABLES, grants

revision = "0001"
down_revision = None

_PAIRS = ", ".join(f"('{a}', '{b}')" for a, b in sorted(reachable()))

TABLES = f"""
CREATE TABLE payments (
    id uuid NOT NULL UNIQUE,
    order_id text PRIMARY KEY CHECK (order_id ~ '^[A-Za-z0-9_-]{{1,40}}$'),
    -- of the attempt and charge that stand
    provider text, provider_order_id text, payment_id text, raw_response jsonb,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{{3}}$'),
    status text NOT NULL,
    previous_status text NOT NULL,
    detail text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    capture text NOT NULL CHECK (capture IN ('automatic', 'manual')),
    revision integer NOT NULL CHECK (revision > 0),
    content bytea NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    closed text CHECK (closed IN ('expired', 'cancelled')),
    closed_at timestamptz,
    paid_at timestamptz,
    flags jsonb NOT NULL DEFAULT '[]',
    waiting jsonb NOT NULL DEFAULT '[]',
    -- generated from the transition table: every pair that a batch may save
    CONSTRAINT transition_is_in_the_table CHECK ((previous_status, status) IN ({_PAIRS})),
    CHECK ((closed IS NULL) = (closed_at IS NULL)),
    CHECK ((paid_at IS NULL) = (payment_id IS NULL)),
    CHECK (status NOT IN ('paid', 'partially_refunded', 'refunded') OR paid_at IS NOT NULL)
) WITH (fillfactor = 80);

CREATE TABLE payment_attempts (
    idempotency_key text PRIMARY KEY CHECK (idempotency_key ~ '^[A-Za-z0-9_-]{{10,108}}$'),
    order_id text NOT NULL REFERENCES payments,
    number integer NOT NULL CHECK (number > 0),
    provider text NOT NULL,
    account text NOT NULL,
    provider_order_id text,
    status text NOT NULL CHECK (status IN ('opening', 'unanswered', 'open', 'refused', 'expired')),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    attempt_payload jsonb NOT NULL,
    refusal text NOT NULL,
    verify_asked integer NOT NULL CHECK (verify_asked >= verify_answered),
    verify_answered integer NOT NULL CHECK (verify_answered >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (order_id, number),
    UNIQUE (provider, account, provider_order_id),
    CHECK (status <> 'open' OR provider_order_id IS NOT NULL)
) WITH (fillfactor = 80);

CREATE TABLE charges (
    provider text NOT NULL,
    account text NOT NULL,
    charge_id text NOT NULL,
    order_id text NOT NULL REFERENCES payments,
    provider_order_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'failed', 'authorized', 'lapsed', 'captured')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    at timestamptz,
    failure text NOT NULL,
    failure_text text NOT NULL,
    stands boolean NOT NULL,
    capture_asked boolean NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (provider, account, charge_id),
    CHECK (NOT stands OR state = 'captured')
) WITH (fillfactor = 80);
CREATE INDEX charges_of_order ON charges (order_id);
-- The database itself refuses a second capture that stands.
CREATE UNIQUE INDEX one_standing_charge ON charges (order_id) WHERE stands;

-- The next kinds of money movement; their rules come with refunds and disputes.
CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    order_id text NOT NULL REFERENCES payments,
    charge_id text NOT NULL,
    provider text NOT NULL,
    provider_refund_id text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    created_at timestamptz NOT NULL,
    UNIQUE (provider, provider_refund_id)
);
CREATE INDEX refunds_of_order ON refunds (order_id);

-- Which order a provider's id belongs to: only references that our secret set.
CREATE TABLE provider_refs (
    provider text NOT NULL,
    account text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('order', 'reference')),
    ref text NOT NULL,
    order_id text NOT NULL,
    PRIMARY KEY (provider, account, kind, ref)
);

-- Every verified webhook with its exact bytes, as it came, for a set time.
CREATE TABLE provider_events (
    received_at timestamptz NOT NULL,
    message_id text NOT NULL,
    provider text NOT NULL,
    account text NOT NULL,
    event_type text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('understood', 'unknown_type', 'other_account', 'unreadable')),
    provider_order_id text,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (received_at, message_id)
) PARTITION BY RANGE (received_at);
ALTER TABLE provider_events ALTER body SET STORAGE EXTERNAL;
CREATE TABLE provider_events_rest PARTITION OF provider_events DEFAULT;
CREATE INDEX provider_events_by_order ON provider_events (provider, provider_order_id);

-- The service's role cannot change tables; this makes the partitions of the next days for it.
CREATE FUNCTION make_event_partitions(days integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE day date; name text;
BEGIN
    FOR day IN SELECT generate_series(current_date, current_date + days, '1 day')::date LOOP
        name := 'provider_events_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF provider_events FOR VALUES FROM (%L) TO (%L)',
                           name, day::timestamptz, (day + 1)::timestamptz);
        END IF;
    END LOOP;
END $$;
SELECT make_event_partitions(7);
"""  # noqa: S608 - the pairs are constants of the code


def upgrade() -> None:
    op.execute(KIT_TABLES)
    op.execute(TABLES)
    op.execute(grants("payments_app"))
