"""The tables of erasures, for a revision of each service, and the rights of the role that blanks."""

from shared.kit_tables import OUTBOX_PARTITIONS_AHEAD, append_only

ERASURE_TABLES = """
-- Who asked for an erasure, why, and what was done. It names nobody who was erased.
CREATE TABLE erasures (
    request_id text PRIMARY KEY,
    customer text NOT NULL,
    order_ids text[] NOT NULL,
    asked_at timestamptz NOT NULL,
    person text NOT NULL CHECK (person <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    places jsonb,
    erased_at timestamptz,
    CHECK ((places IS NULL) = (erased_at IS NULL))
);

-- Tombstones: what is said of these orders, or was said of these customers before, comes in blank.
CREATE TABLE erased_orders (order_id text PRIMARY KEY, erased_at timestamptz NOT NULL);
CREATE TABLE erased_customers (customer text PRIMARY KEY, erased_at timestamptz NOT NULL);
"""


def eraser_grants(schema: str) -> str:
    """What <service>_eraser may do beside reading: blank. The service's own role may no longer.

    An administrator makes the role (devstack/docker/roles.sql). Rights on partitions are taken from the
    service's role too, since a partition can be written by its own name.
    """
    app, eraser = f"{schema}_app", f"{schema}_eraser"
    return f"""
{OUTBOX_PARTITIONS_AHEAD}
GRANT EXECUTE ON FUNCTION outbox_partitions_ahead() TO {app};
REVOKE UPDATE, DELETE ON erasures, erased_orders, erased_customers FROM {app};
GRANT UPDATE (places, erased_at) ON erasures TO {app};
GRANT UPDATE (erased_at) ON erased_customers TO {app};
{append_only("outbox", app)}
GRANT USAGE ON SCHEMA {schema} TO {eraser};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {eraser};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {eraser};
GRANT UPDATE (outcome, headers, body, error) ON inbox TO {eraser};
GRANT UPDATE (payload, closed_at, outcome, lease_owner, lease_until) ON tasks TO {eraser};
GRANT UPDATE (payload) ON outbox TO {eraser};
"""
