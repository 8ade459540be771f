"""Limits of app passwords, what was sent today, and what mail servers still have to be told.

Times are integer microseconds since 1970 UTC, days are counted from 1970 UTC.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_LIMITS = """
ALTER TABLE app_password ADD COLUMN folders TEXT NOT NULL DEFAULT '[]';
ALTER TABLE app_password ADD COLUMN senders TEXT NOT NULL DEFAULT '[]';
ALTER TABLE app_password ADD COLUMN recipients TEXT NOT NULL DEFAULT '[]';
ALTER TABLE app_password ADD COLUMN messages_per_day INTEGER CHECK (messages_per_day > 0);
ALTER TABLE app_password ADD COLUMN recipients_per_day INTEGER CHECK (recipients_per_day > 0);
ALTER TABLE app_password ADD COLUMN recipients_per_message INTEGER CHECK (recipients_per_message > 0);

-- What each app password has sent on a day. The day is first, so that old ones go in one piece.
CREATE TABLE sent_day (
  day INTEGER NOT NULL,
  credential_id TEXT NOT NULL,
  messages INTEGER NOT NULL CHECK (messages >= 0),
  recipients INTEGER NOT NULL CHECK (recipients >= 0),
  PRIMARY KEY (day, credential_id)
) STRICT, WITHOUT ROWID
"""

_CODES = """
-- One-time codes that were typed behind a right main password. `hashed` is of account, code and place for a right one,
-- which may be used again from there for a while; `code` is of account and code alone, to know one that was typed before.
CREATE TABLE remembered_code (
  hashed BLOB PRIMARY KEY CHECK (length(hashed) = 32),
  account_id TEXT NOT NULL REFERENCES account (id),
  code BLOB NOT NULL CHECK (length(code) = 32),
  typed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_code_account ON remembered_code (account_id, code);
CREATE INDEX remembered_code_age ON remembered_code (typed_at)
"""

_CLOSINGS = """
-- What a mail server still has to be told: to close the sessions of an app password, those that the main password opened
-- (credential_id is empty), or all of an account (credential_id is null). Without an account: to look for what no longer
-- passes. What was told (told_at) is told once more a little later; what was given up is kept for a while to be seen.
CREATE TABLE closing (
  id INTEGER PRIMARY KEY,
  server TEXT NOT NULL,
  account_id TEXT REFERENCES account (id),
  credential_id TEXT,
  made_at INTEGER NOT NULL,
  tries INTEGER NOT NULL CHECK (tries >= 0),
  next_try_at INTEGER NOT NULL,
  told_at INTEGER,
  given_up_at INTEGER
) STRICT;
CREATE UNIQUE INDEX closing_once ON closing (server, ifnull(account_id, ''), ifnull(credential_id, '*'));
CREATE INDEX closing_order ON closing (next_try_at);
CREATE INDEX closing_account ON closing (account_id)
"""


def upgrade() -> None:
    """Make the columns, tables and indexes."""
    for part in (_LIMITS, _CODES, _CLOSINGS):
        for statement in part.split(";\n"):
            op.execute(statement)
