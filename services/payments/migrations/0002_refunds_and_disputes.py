"""Refunds and disputes, captures by hand and of approvals, and why a provider was asked."""

from alembic import op

from shared.kit_tables import grants

revision = "0002"
down_revision = "0001"

TABLES = """
-- Whether refunds or disputes hang under it: most payments have none, and are loaded without a look there.
ALTER TABLE payments ADD money_back boolean NOT NULL DEFAULT false;

ALTER TABLE payment_attempts
    ADD why text NOT NULL DEFAULT '',
    ADD approved boolean NOT NULL DEFAULT false,
    ADD captures_asked integer NOT NULL DEFAULT 0,
    ADD captures_declined integer NOT NULL DEFAULT 0 CHECK (captures_declined >= 0),
    ADD captured_for integer NOT NULL DEFAULT 0,
    ADD cancel_asked boolean NOT NULL DEFAULT false,
    ADD cancelled boolean NOT NULL DEFAULT false,
    ADD CHECK (captures_asked >= captures_declined),
    DROP CONSTRAINT payment_attempts_status_check,
    ADD CONSTRAINT payment_attempts_status_check CHECK (
        status IN ('opening', 'unanswered', 'open', 'refused', 'expired', 'superseded', 'abandoned'));

ALTER TABLE charges
    ADD capture_amount bigint NOT NULL DEFAULT 0 CHECK (capture_amount >= 0),
    ADD capture_before timestamptz,
    ADD marked_by text NOT NULL DEFAULT '',
    ADD CHECK (provider <> 'hand' OR marked_by <> '');

-- Reserved for this and never written: what a refund is was not decided yet.
DROP TABLE refunds;
CREATE TABLE refunds (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{10,108}$'),
    order_id text NOT NULL REFERENCES payments,
    n integer NOT NULL,
    provider text NOT NULL,
    charge_id text NOT NULL,
    provider_order_id text NOT NULL,
    provider_refund_id text,
    state text NOT NULL CHECK (state IN ('requested', 'pending', 'succeeded', 'failed')),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    origin text NOT NULL CHECK (origin IN ('api', 'policy', 'provider')),
    reason text NOT NULL,
    asked_by text NOT NULL,
    failure text NOT NULL,
    succeeded boolean NOT NULL,
    unknown boolean NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (provider, provider_refund_id),
    CHECK (state <> 'succeeded' OR succeeded),
    CHECK (state IN ('requested', 'failed') OR provider_refund_id IS NOT NULL),
    CHECK (NOT unknown OR state = 'requested')
) WITH (fillfactor = 80);
CREATE INDEX refunds_of_order ON refunds (order_id);
CREATE INDEX refunds_not_settled ON refunds (created_at) WHERE state IN ('requested', 'pending');

CREATE TABLE disputes (
    provider text NOT NULL,
    dispute_id text NOT NULL,
    order_id text NOT NULL REFERENCES payments,
    n integer NOT NULL,
    charge_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('inquiry', 'chargeback')),
    state text NOT NULL CHECK (state IN ('open', 'under_review', 'closed', 'won', 'lost')),
    money text NOT NULL CHECK (money IN ('none', 'withdrawn', 'reinstated')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    reason text NOT NULL,
    respond_by timestamptz,
    at timestamptz,
    PRIMARY KEY (provider, dispute_id)
) WITH (fillfactor = 80);
CREATE INDEX disputes_of_order ON disputes (order_id);

ALTER TABLE provider_events ADD charge_id text;

-- The database itself refuses to give back more than was captured, whoever asks.
CREATE FUNCTION check_refunds() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE back numeric; taken bigint;
BEGIN
    SELECT coalesce(sum(amount), 0) INTO back FROM refunds
    WHERE provider = NEW.provider AND charge_id = NEW.charge_id AND state <> 'failed'
      AND origin <> 'provider';
    SELECT amount INTO taken FROM charges
    WHERE provider = NEW.provider AND charge_id = NEW.charge_id AND order_id = NEW.order_id
      AND state = 'captured';
    IF back > coalesce(taken, 0) THEN
        RAISE EXCEPTION 'refunds of % would be %, more than the % captured', NEW.charge_id, back,
            coalesce(taken, 0) USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refunds_within_capture AFTER INSERT OR UPDATE ON refunds
    FOR EACH ROW WHEN (NEW.origin <> 'provider' AND NEW.state <> 'failed') EXECUTE FUNCTION check_refunds();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(grants("payments_app"))
