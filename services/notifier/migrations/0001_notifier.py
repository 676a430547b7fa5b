"""The kit's tables, and what the notifier keeps: orders, their contents, documents, mails."""

from alembic import op

from shared.kit_tables import KIT_TABLES, grants

revision = "0001"
down_revision = None

TABLES = """
-- One row per order is its lock. The payment stands in it once PaymentPaid came.
CREATE TABLE orders (
    order_id text PRIMARY KEY,
    payment_id text UNIQUE,
    revision integer,
    amount bigint CHECK (amount > 0),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    provider text,
    provider_order_id text,
    charge_id text,
    paid_at timestamptz,
    waits boolean NOT NULL DEFAULT false,
    CHECK (num_nulls(payment_id, revision, amount, currency, provider, provider_order_id, charge_id, paid_at)
           IN (0, 8)),
    CHECK (NOT waits OR payment_id IS NOT NULL)
);
CREATE INDEX orders_waiting ON orders (paid_at) WHERE waits;

CREATE TABLE order_contents (
    order_id text NOT NULL REFERENCES orders,
    revision integer NOT NULL CHECK (revision > 0),
    content bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, revision)
);

-- The last number given per series. Its row lock makes numbers gapless: a rolled back claim gives none.
CREATE TABLE document_series (
    series text PRIMARY KEY,
    last_number bigint NOT NULL CHECK (last_number >= 0)
);

CREATE TABLE documents (
    document_id uuid PRIMARY KEY,
    order_id text NOT NULL,
    payment_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('receipt')),
    subject text NOT NULL,
    series text NOT NULL REFERENCES document_series,
    number bigint NOT NULL CHECK (number > 0),
    revision integer NOT NULL,
    issued_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('numbered', 'rendered', 'failed')),
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    pdf bytea,
    UNIQUE (payment_id, kind, subject),
    UNIQUE (series, number),
    FOREIGN KEY (order_id, revision) REFERENCES order_contents,
    CHECK ((state = 'rendered') = (pdf IS NOT NULL) AND (pdf IS NULL) = (sha256 IS NULL))
);
ALTER TABLE documents ALTER pdf SET STORAGE EXTERNAL;
CREATE INDEX documents_by_order ON documents (order_id);

CREATE TABLE mails (
    document_id uuid PRIMARY KEY REFERENCES documents,
    recipient text NOT NULL CHECK (octet_length(recipient) <= 1020),
    message_id text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('waiting', 'deferred', 'sent', 'parked')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_answer text NOT NULL DEFAULT '',
    settled_at timestamptz,
    CHECK (state <> 'sent' OR settled_at IS NOT NULL)
);
CREATE INDEX mails_unsettled ON mails (state) WHERE state <> 'sent';
"""


def upgrade() -> None:
    op.execute(KIT_TABLES)
    op.execute(TABLES)
    op.execute(grants("notifier_app"))
