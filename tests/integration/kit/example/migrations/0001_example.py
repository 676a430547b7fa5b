"""The kit's tables and the example's own."""

from alembic import op

from shared.kit_tables import KIT_TABLES, grants

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE accounts (
    account text PRIMARY KEY, deposited bigint NOT NULL DEFAULT 0 CHECK (deposited >= 0),
    version bigint NOT NULL DEFAULT 0, note text NOT NULL DEFAULT ''
);
CREATE TABLE payouts (
    operation text PRIMARY KEY, account text NOT NULL REFERENCES accounts, n integer NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0), done boolean NOT NULL, principal text, key text
);
CREATE TABLE refs (ref text PRIMARY KEY, account text NOT NULL REFERENCES accounts);
CREATE TABLE seen (
    account text PRIMARY KEY, version bigint NOT NULL DEFAULT 0, available bigint NOT NULL DEFAULT 0
);
CREATE TABLE effects (account text NOT NULL, event_id text NOT NULL, version bigint NOT NULL);
"""


def upgrade() -> None:
    op.execute(KIT_TABLES)
    op.execute(TABLES)
    op.execute(grants("example_app"))
