"""Erasures of customers: what this service may hold of one is in parked messages alone."""

from alembic import op

from shared.privacy.tables import ERASURE_TABLES, eraser_grants

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(ERASURE_TABLES)
    op.execute(eraser_grants("reconciler"))
