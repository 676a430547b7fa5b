"""Customers are erased on request: a document keeps its number, date and hash, and loses its PDF."""

from alembic import op

from shared.privacy.tables import ERASURE_TABLES, eraser_grants

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE documents
    DROP CONSTRAINT documents_state_check,
    ADD CONSTRAINT documents_state_check CHECK (state IN ('numbered', 'rendered', 'failed', 'erased')),
    DROP CONSTRAINT documents_check,
    ADD CHECK ((state = 'rendered') = (pdf IS NOT NULL)),
    ADD CHECK ((state IN ('rendered', 'erased')) = (sha256 IS NOT NULL));
"""

RIGHTS = """
GRANT UPDATE (content) ON order_contents TO notifier_eraser;
GRANT UPDATE (pdf, state) ON documents TO notifier_eraser;
GRANT UPDATE (recipient, last_answer, state, settled_at) ON mails TO notifier_eraser;
"""


def upgrade() -> None:
    op.execute(ERASURE_TABLES)
    op.execute(TABLES)
    op.execute(eraser_grants("notifier"))
    op.execute(RIGHTS)
