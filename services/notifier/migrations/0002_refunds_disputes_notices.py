"""Credit notes and their cancellations, mails without a document, disputes, resends."""

from alembic import op

from shared.kit_tables import grants

revision = "0002"
down_revision = "0001"

TABLES = """
-- What was captured may be less than the order's amount; what the shop's setting said when it was paid.
ALTER TABLE orders ADD captured bigint CHECK (captured > 0), ADD issues text
    CHECK (issues IN ('receipt', 'invoice', 'off'));
UPDATE orders SET captured = amount, issues = 'receipt' WHERE payment_id IS NOT NULL;
ALTER TABLE orders
    DROP CONSTRAINT orders_check1,  -- only what was paid could wait; a refund can too
    ADD CHECK (num_nulls(payment_id, captured, issues) IN (0, 3));

CREATE TABLE refunds (
    refund_id text PRIMARY KEY,
    order_id text NOT NULL REFERENCES orders,
    payment_id text NOT NULL,
    provider text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    stood boolean NOT NULL,
    revision integer NOT NULL,
    reason text NOT NULL,
    reference text NOT NULL,
    succeeded_at timestamptz,
    failed_at timestamptz,
    CHECK (num_nonnulls(succeeded_at, failed_at) > 0)
);
CREATE INDEX refunds_by_order ON refunds (order_id);

CREATE TABLE disputes (
    provider text NOT NULL,
    dispute_id text NOT NULL,
    order_id text NOT NULL REFERENCES orders,
    payment_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('inquiry', 'chargeback')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text NOT NULL,
    respond_by timestamptz,
    opened boolean NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('', 'closed', 'won', 'lost')),
    PRIMARY KEY (provider, dispute_id)
);
CREATE INDEX disputes_by_order ON disputes (order_id);

ALTER TABLE documents
    DROP CONSTRAINT documents_kind_check,
    ADD CHECK (kind IN ('receipt', 'invoice', 'credit_note', 'cancellation')),
    ADD dated_at timestamptz;
UPDATE documents d SET dated_at = o.paid_at FROM orders o WHERE o.order_id = d.order_id;
ALTER TABLE documents ALTER dated_at SET NOT NULL;
-- A payment is invoiced once, whatever the shop calls it.
CREATE UNIQUE INDEX documents_of_payment ON documents (payment_id) WHERE kind IN ('receipt', 'invoice');

-- A mail has the id of its natural key, which it shares with its document if it has one.
ALTER TABLE mails
    ADD mail_id uuid,
    ADD order_id text REFERENCES orders,
    ADD payment_id text,
    ADD kind text CHECK (kind IN ('receipt', 'invoice', 'credit_note', 'cancellation', 'surplus_refund',
                                  'surplus_refund_failed', 'dispute', 'dispute_reminder')),
    ADD subject text,
    ADD asked_at timestamptz,
    DROP CONSTRAINT mails_state_check,
    ADD CHECK (state IN ('waiting', 'deferred', 'sent', 'bounced', 'parked'));
UPDATE mails m SET mail_id = d.document_id, order_id = d.order_id, payment_id = d.payment_id, kind = d.kind,
                   subject = d.subject, asked_at = d.issued_at
FROM documents d WHERE d.document_id = m.document_id;
ALTER TABLE mails
    ALTER mail_id SET NOT NULL, ALTER order_id SET NOT NULL, ALTER payment_id SET NOT NULL,
    ALTER kind SET NOT NULL, ALTER subject SET NOT NULL, ALTER asked_at SET NOT NULL,
    DROP CONSTRAINT mails_pkey,
    ALTER document_id DROP NOT NULL,
    ADD PRIMARY KEY (mail_id),
    ADD UNIQUE (payment_id, kind, subject),
    ADD CHECK (document_id = mail_id),
    ADD CHECK ((document_id IS NOT NULL)
               = (kind IN ('receipt', 'invoice', 'credit_note', 'cancellation')));
CREATE INDEX mails_by_order ON mails (order_id);

-- Who asked for a mail once more; a nonce counts once.
CREATE TABLE resends (
    mail_id uuid NOT NULL REFERENCES mails,
    nonce text NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (mail_id, nonce)
);
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(grants("notifier_app"))
