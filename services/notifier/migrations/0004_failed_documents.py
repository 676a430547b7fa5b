"""Documents that could not be made are counted every few seconds: without reading all the others."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE INDEX documents_failed ON documents (document_id) WHERE state = 'failed'")
