"""The tables of the kit, for the first migration of each service.

Names are found through `search_path`, so every schema has its own set.
"""

OUTBOX_PARTITIONS_AHEAD = """
-- The service's own role cannot create tables; this one thing it may ask for. What it gets it cannot change.
CREATE OR REPLACE FUNCTION outbox_partitions_ahead() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    size CONSTANT bigint = 10000000;
    reached bigint = coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'position')), 0);
    first_missing bigint = reached / size;
BEGIN
    WHILE to_regclass('outbox_' || first_missing) IS NOT NULL LOOP
        first_missing = first_missing + 1;
    END LOOP;
    IF first_missing * size - reached < size THEN
        EXECUTE format('CREATE TABLE outbox_%s (LIKE outbox INCLUDING ALL EXCLUDING IDENTITY)',
                       first_missing);
        EXECUTE format('ALTER TABLE outbox ATTACH PARTITION outbox_%s FOR VALUES FROM (%s) TO (%s)',
                       first_missing, first_missing * size, (first_missing + 1) * size);
        EXECUTE format('REVOKE UPDATE, DELETE ON outbox_%s FROM %I',
                       first_missing, current_schema() || '_app');
    END IF;
    RETURN first_missing * size;
END $$;
REVOKE ALL ON FUNCTION outbox_partitions_ahead() FROM PUBLIC;
"""

KIT_TABLES = f"""
CREATE TABLE inbox (
    consumer text NOT NULL,
    message_id text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('applied', 'ignored', 'parked')),
    fingerprint bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- the rest is there for parked messages alone
    topic text, partition integer, record_offset bigint, record_key bytea, headers jsonb, body bytea,
    error text CHECK (octet_length(error) <= 4000),
    replayed_by text, replayed_at timestamptz,
    PRIMARY KEY (consumer, message_id),
    CHECK (outcome <> 'parked' OR (body IS NOT NULL AND error IS NOT NULL AND topic IS NOT NULL)),
    CHECK ((replayed_by IS NULL) = (replayed_at IS NULL))
) WITH (fillfactor = 100);
CREATE INDEX inbox_parked ON inbox (received_at) WHERE outcome = 'parked';
CREATE INDEX inbox_by_age ON inbox USING brin (received_at);

-- A message that kills the process is found by counting its starts; offset -1 marks a partition's first
-- batch in a process, so that a death in there is known to the next one.
CREATE TABLE starts (
    consumer text NOT NULL, topic text NOT NULL, partition integer NOT NULL, record_offset bigint NOT NULL,
    starts integer NOT NULL CHECK (starts > 0),
    PRIMARY KEY (consumer, topic, partition, record_offset)
);

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    topic text NOT NULL,
    record_key text NOT NULL,
    message_id text NOT NULL,
    payload bytea NOT NULL CHECK (octet_length(payload) <= 900000),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);
ALTER TABLE outbox ALTER payload SET STORAGE EXTERNAL;
CREATE TABLE outbox_0 PARTITION OF outbox FOR VALUES FROM (0) TO (10000000);
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;
CREATE TABLE outbox_pending (position bigint PRIMARY KEY);
{OUTBOX_PARTITIONS_AHEAD}

CREATE TABLE leases (name text PRIMARY KEY, owner text NOT NULL, until timestamptz NOT NULL);

CREATE TABLE tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    key text NOT NULL,
    subject text NOT NULL,
    payload bytea NOT NULL,
    priority smallint NOT NULL,
    due_at timestamptz NOT NULL,
    again_at timestamptz,  -- wanted once more while it was running
    claims integer NOT NULL DEFAULT 0 CHECK (claims >= 0),
    lost integer NOT NULL DEFAULT 0 CHECK (lost >= 0),  -- claims in a row that ended without a word
    lease_owner text,
    lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'dropped')),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK ((closed_at IS NULL) = (outcome IS NULL)),
    CHECK (closed_at IS NULL OR lease_owner IS NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX tasks_open ON tasks (key) WHERE closed_at IS NULL;
CREATE INDEX tasks_due ON tasks (kind, priority, due_at) WHERE closed_at IS NULL;
CREATE INDEX tasks_by_subject ON tasks (subject);
CREATE INDEX tasks_closed ON tasks (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE stored_answers (
    principal text NOT NULL,
    key text NOT NULL,
    subject text NOT NULL,
    fingerprint bytea NOT NULL,
    code text,
    detail text,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (principal, key),
    CHECK ((code IS NULL) = (answered_at IS NULL) AND (code IS NULL) = (answer IS NULL))
);
CREATE INDEX stored_answers_by_age ON stored_answers USING brin (created_at);
"""


def grants(role: str) -> str:
    """What the service's own role may do: read and write rows, never change tables; the archive only grows.

    Tables of later revisions are covered too; a revision may take rights away from one of its own.
    """
    schema = role.removesuffix("_app")
    return f"""
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON SEQUENCES TO {role};
{append_only("outbox", role)}
GRANT EXECUTE ON FUNCTION outbox_partitions_ahead() TO {role};
"""


def append_only(table: str, role: str) -> str:
    """Takes the rights to change rows of a partitioned table, and of each partition: those have names too."""
    return f"""
REVOKE UPDATE, DELETE ON {table} FROM {role};
DO $$
DECLARE partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '{table}'::regclass LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %s FROM {role}', partition);
    END LOOP;
END $$;"""  # noqa: S608 - names from our own code; they cannot be parameters
