"""A run's subjects under a number of its own instead of its id, and in the order of their ids: a key of half
the size that is told from its neighbours by one comparison.

A run in the middle begins anew: all that it reads it keeps as it is. A process of the release before cannot
move the mark of such a run any more, for the mark has another name.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

SUBJECTS = """
DROP TABLE run_subjects;
-- What a run compares. `listed`: the provider listed it in this very run.
CREATE TABLE run_subjects (
    run integer NOT NULL,
    subject text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (run, subject, object)
);
"""

# Each run of a window takes the next number.
RUNS = """
ALTER TABLE runs RENAME compared_after TO compared_subject;
ALTER TABLE runs ADD serial integer GENERATED ALWAYS AS IDENTITY UNIQUE;
UPDATE runs SET leg = 0, listed_until = NULL, slice_s = NULL, listed = 0, gathered = false,
                compared_object = '', compared_subject = '', compared = 0,
                ours = 0, theirs = 0, settled = 0, agreed = 0, mismatches = 0
WHERE open;
"""


def upgrade() -> None:
    op.execute(SUBJECTS)
    op.execute(RUNS)
