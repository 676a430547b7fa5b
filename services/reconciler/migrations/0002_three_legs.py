"""Refunds, disputes, settlements and the provider's own records; runs of windows; mismatches' lives.

What is looked up by its id leads with the id: no other index can then seem as good to a planner that knows
nothing of a table yet, and read all of an account for each.
"""

from alembic import op

from shared.kit_tables import grants

revision = "0002"
down_revision = "0001"

BOOK = """
ALTER TABLE orders ADD amount bigint NOT NULL DEFAULT 0, ADD currency text NOT NULL DEFAULT '',
                   ADD paid boolean NOT NULL DEFAULT false, ADD closed boolean NOT NULL DEFAULT false;
ALTER TABLE charges ADD returned bigint NOT NULL DEFAULT 0 CHECK (returned >= 0),
                    ADD marked_by text NOT NULL DEFAULT '';
CREATE INDEX charges_by_id ON charges (charge_id, provider, account);
CREATE TABLE refunds (
    provider text NOT NULL,
    account text NOT NULL,
    refund_id text NOT NULL,
    subject text COLLATE "C" NOT NULL,
    order_id text NOT NULL,
    charge_id text NOT NULL,
    provider_order_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'pending', 'succeeded', 'failed')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    at timestamptz NOT NULL,
    PRIMARY KEY (provider, account, refund_id)
);
CREATE INDEX refunds_by_day ON refunds (provider, account, at);
CREATE INDEX refunds_by_subject ON refunds (subject, provider, account);
CREATE TABLE disputes (
    provider text NOT NULL,
    account text NOT NULL,
    dispute_id text COLLATE "C" NOT NULL,
    order_id text NOT NULL,
    charge_id text NOT NULL,
    provider_order_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'under_review', 'closed', 'won', 'lost')),
    money text NOT NULL CHECK (money IN ('none', 'withdrawn', 'reinstated')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    at timestamptz NOT NULL,
    PRIMARY KEY (dispute_id, provider, account)
);
CREATE INDEX disputes_by_day ON disputes (provider, account, at);
CREATE INDEX disputes_by_charge ON disputes (charge_id, provider, account);

-- What this projection can hold. A book from before refunds has to be read again before any run.
CREATE TABLE book (single boolean PRIMARY KEY CHECK (single), shape integer NOT NULL);
INSERT INTO book SELECT true, CASE WHEN EXISTS (SELECT 1 FROM orders) THEN 1 ELSE 2 END;
"""

PROVIDERS = """
-- The provider's own records as last listed or read: a charge, refund or dispute.
CREATE TABLE provider_records (
    provider text NOT NULL,
    account text NOT NULL,
    object text COLLATE "C" NOT NULL CHECK (object IN ('charge', 'dispute', 'refund')),
    subject text COLLATE "C" NOT NULL,
    charge_id text NOT NULL,
    provider_order_id text NOT NULL,
    state text NOT NULL,
    money text NOT NULL DEFAULT 'none',
    amount bigint NOT NULL,
    currency text NOT NULL,
    fee bigint,
    at timestamptz,
    PRIMARY KEY (subject, object, provider, account)
);
-- Every line of the provider's account with us. Without an object it belongs to no charge of its own: a
-- payout, a fee, an adjustment.
CREATE TABLE settlement_lines (
    provider text NOT NULL,
    account text NOT NULL,
    line_id text NOT NULL,
    kind text NOT NULL,
    object text COLLATE "C" CHECK (object IN ('charge', 'dispute', 'refund')),
    subject text COLLATE "C" NOT NULL DEFAULT '',
    charge_id text NOT NULL,
    amount bigint NOT NULL,
    fee bigint NOT NULL,
    net bigint NOT NULL,
    currency text NOT NULL,
    rate text NOT NULL,
    settlement_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (line_id, provider, account)
);
CREATE INDEX settlement_lines_by_subject ON settlement_lines (subject, object, provider, account);
CREATE INDEX payouts_by_day ON settlement_lines (at) WHERE kind = 'payout';
-- From when to when each leg has been read without a gap.
CREATE TABLE watermarks (
    provider text NOT NULL,
    account text NOT NULL,
    leg text NOT NULL CHECK (leg IN ('charges', 'refunds', 'disputes', 'lines')),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (provider, account, leg),
    CHECK (since < until)
);
"""

RUNS = """
-- One row per window: its last run, how far that has come and what it has counted.
CREATE TABLE runs (
    provider text NOT NULL,
    account text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    number integer NOT NULL CHECK (number >= 0),
    open boolean NOT NULL,
    run_id text NOT NULL,
    requested_at timestamptz,
    completed_at timestamptz,
    leg smallint NOT NULL DEFAULT 0,
    listed_until timestamptz,
    slice_s integer CHECK (slice_s > 0),
    listed bigint NOT NULL DEFAULT 0,
    gathered boolean NOT NULL DEFAULT false,
    compared_object text COLLATE "C" NOT NULL DEFAULT '',
    compared_after text COLLATE "C" NOT NULL DEFAULT '',
    compared bigint NOT NULL DEFAULT 0,
    ours bigint NOT NULL DEFAULT 0,
    theirs bigint NOT NULL DEFAULT 0,
    settled bigint NOT NULL DEFAULT 0,
    agreed bigint NOT NULL DEFAULT 0,
    mismatches bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, account, since, until),
    CHECK (since < until),
    CHECK ((number = 0) = (requested_at IS NULL)),
    CHECK (number > 0 OR NOT open)
);
CREATE INDEX runs_by_id ON runs (run_id);
INSERT INTO runs (provider, account, since, until, number, open, run_id, requested_at, completed_at,
                  ours, theirs, agreed, mismatches)
SELECT provider, account, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC',
       number, false, run_id, requested_at, completed_at, ours, theirs, agreed, mismatches
FROM days WHERE number > 0;
-- A run in the middle is asked for again by the service itself: it has no end.
UPDATE tasks SET closed_at = clock_timestamp(), outcome = 'dropped', lease_owner = NULL, lease_until = NULL
WHERE kind = 'reconcile' AND closed_at IS NULL;
DROP TABLE run_charges, days;

-- What a run compares. `listed`: the provider listed it in this very run.
CREATE TABLE run_subjects (
    run_id text NOT NULL,
    object text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (run_id, object, subject)
);
"""

MISMATCHES = """
ALTER TABLE mismatches
    ADD object text NOT NULL DEFAULT 'charge',
    ADD charge_id text NOT NULL DEFAULT '',
    ADD amount bigint NOT NULL DEFAULT 0,
    ADD currency text NOT NULL DEFAULT '',
    ADD returns bigint NOT NULL DEFAULT 0,
    ADD at timestamptz,
    ADD last_seen_at timestamptz,
    ADD approved_at timestamptz,
    ADD how text NOT NULL DEFAULT '' CHECK (how IN ('', 'agreed', 'accepted')),
    ADD person text NOT NULL DEFAULT '',
    ADD reason text NOT NULL DEFAULT '',
    ADD CHECK (how <> 'accepted' OR (person <> '' AND reason <> ''));
UPDATE mismatches SET charge_id = subject, last_seen_at = first_seen_at,
    at = day::timestamp AT TIME ZONE 'UTC', how = CASE WHEN open THEN '' ELSE 'agreed' END
WHERE occurrence > 0;
CREATE INDEX mismatches_standing ON mismatches (subject, object, provider, account)
    WHERE open OR how = 'accepted';
CREATE INDEX mismatches_open_at ON mismatches (provider, account, at) WHERE open;
CREATE TABLE mismatch_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mismatch_id text NOT NULL,
    occurrence integer NOT NULL,
    what text NOT NULL CHECK (what IN ('detected', 'proposed', 'sent', 'approved', 'accepted', 'agreed')),
    at timestamptz NOT NULL,
    person text NOT NULL,
    text text NOT NULL,
    CHECK (what NOT IN ('approved', 'accepted') OR person <> '')
);
CREATE INDEX mismatch_audit_by_id ON mismatch_audit (mismatch_id, id);
"""


def upgrade() -> None:
    op.execute(BOOK)
    op.execute(PROVIDERS)
    op.execute(RUNS)
    op.execute(MISMATCHES)
    op.execute(grants("reconciler_app"))
    op.execute("REVOKE UPDATE, DELETE ON mismatch_audit FROM reconciler_app")  # an audit trail only grows
