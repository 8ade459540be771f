"""What came of the questions of mail servers, and what limits stopped of each app password's mail.

Times are integer microseconds since 1970 UTC, days are counted from 1970 UTC.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = """
-- One row for each door, peer and outcome that there was. `place` is where the last one came from that was turned away.
CREATE TABLE asked (
  door TEXT NOT NULL,
  peer TEXT NOT NULL,
  outcome TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  place TEXT NOT NULL,
  PRIMARY KEY (door, peer, outcome)
) STRICT, WITHOUT ROWID;

-- Messages that a limit of an app password stopped on a day, by limit. Nothing is kept of the messages themselves.
CREATE TABLE not_sent (
  day INTEGER NOT NULL,
  credential_id TEXT NOT NULL,
  why TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (day, credential_id, why)
) STRICT, WITHOUT ROWID;
CREATE INDEX not_sent_credential ON not_sent (credential_id, day)
"""


def upgrade() -> None:
    """Make the tables and the index."""
    for statement in _TABLES.split(";\n"):
        op.execute(statement)
