"""The book (our side), the runs, and the mismatches."""

from alembic import op

from shared.kit_tables import KIT_TABLES, grants

revision = "0001"
down_revision = None

TABLES = """
-- The projection of payments.events. All of it can be read again from the topic: see rebuild.py.
CREATE TABLE orders (
    order_id text PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 0)
);
CREATE TABLE charges (
    provider text NOT NULL,
    account text NOT NULL,
    charge_id text NOT NULL,
    order_id text NOT NULL,
    provider_order_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'failed', 'authorized', 'lapsed', 'captured')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    surplus boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, charge_id)
);
CREATE INDEX charges_by_day ON charges (provider, account, at);
CREATE TABLE provider_orders (
    provider text NOT NULL,
    account text NOT NULL,
    provider_order_id text NOT NULL,
    order_id text NOT NULL,
    PRIMARY KEY (provider, account, provider_order_id)
);
CREATE TABLE checkpoints (
    partition integer PRIMARY KEY CHECK (partition >= 0),
    until timestamptz
);

-- One row per provider and day: the last run, how far it has come and what it has counted.
CREATE TABLE days (
    provider text NOT NULL,
    account text NOT NULL,
    day date NOT NULL,
    number integer NOT NULL CHECK (number >= 0),
    open boolean NOT NULL,
    run_id text NOT NULL,
    requested_at timestamptz,
    completed_at timestamptz,
    listed_until timestamptz,
    slice_s integer NOT NULL DEFAULT 86400 CHECK (slice_s > 0),
    compared_after text COLLATE "C" NOT NULL DEFAULT '',
    ours bigint NOT NULL DEFAULT 0,
    theirs bigint NOT NULL DEFAULT 0,
    agreed bigint NOT NULL DEFAULT 0,
    mismatches bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, account, day),
    CHECK ((number = 0) = (requested_at IS NULL)),
    CHECK (number > 0 OR NOT open)
);

-- The charges that a run compares: every one that the provider lists, and ours of that day.
-- Without a state the provider's list does not have it.
CREATE TABLE run_charges (
    run_id text NOT NULL,
    charge_id text COLLATE "C" NOT NULL,
    provider_order_id text,
    state text CHECK (state IN ('pending', 'failed', 'authorized', 'lapsed', 'captured')),
    amount bigint,
    currency text,
    PRIMARY KEY (run_id, charge_id),
    CHECK ((state IS NULL) = (amount IS NULL) AND (state IS NULL) = (currency IS NULL))
);

CREATE TABLE mismatches (
    mismatch_id text PRIMARY KEY,
    occurrence integer NOT NULL CHECK (occurrence >= 0),
    open boolean NOT NULL,
    provider text NOT NULL DEFAULT '',
    account text NOT NULL DEFAULT '',
    day date,
    kind text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    order_id text,
    legs bytea NOT NULL DEFAULT '[]',
    first_seen_at timestamptz,
    run_id text NOT NULL DEFAULT '',
    resolved_at timestamptz,
    CHECK (occurrence = 0
           OR (day IS NOT NULL AND first_seen_at IS NOT NULL AND kind <> '' AND subject <> '')),
    CHECK (open = (occurrence > 0 AND resolved_at IS NULL))
);
CREATE INDEX mismatches_by_day ON mismatches (day, provider, account);
CREATE INDEX mismatches_open ON mismatches (provider, account, day) WHERE open;
"""


def upgrade() -> None:
    op.execute(KIT_TABLES)
    op.execute(TABLES)
    op.execute(grants("reconciler_app"))
