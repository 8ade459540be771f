"""Tables of the portal, the console and the API.

Times are integer microseconds since 1970 UTC, days and hours are counted from 1970 UTC.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_ROLES = """
ALTER TABLE account ADD COLUMN role TEXT CHECK (role IN ('admin', 'helpdesk', 'auditor'));
UPDATE account SET role = 'admin' WHERE is_admin = 1;
ALTER TABLE account DROP COLUMN is_admin;
ALTER TABLE app_password ADD COLUMN rotated_from TEXT REFERENCES app_password (id)
"""

_SIGN_IN = """
CREATE TABLE passkey (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  name TEXT NOT NULL,
  credential_id BLOB NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
  public_key BLOB NOT NULL,
  sign_count INTEGER NOT NULL CHECK (sign_count >= 0),
  transports TEXT NOT NULL,
  is_synced INTEGER NOT NULL CHECK (is_synced IN (0, 1)),
  created_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_account ON passkey (account_id);

-- Challenges that were answered rightly, so that no answer counts twice.
CREATE TABLE spent_challenge (
  hashed BLOB PRIMARY KEY CHECK (length(hashed) = 32),
  spent_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_challenge_order ON spent_challenge (spent_at);

-- Sign-ins to the portal with a wrong main password, coalesced and bounded per account; '' is for names nobody has.
CREATE TABLE refused_sign_in (
  account_id TEXT NOT NULL,
  network TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (account_id, network)
) STRICT, WITHOUT ROWID;

-- Where notices go beside the mailbox, and where recovery is proven.
CREATE TABLE notice_address (
  account_id TEXT PRIMARY KEY REFERENCES account (id),
  address TEXT NOT NULL,
  confirmed_at INTEGER
) STRICT, WITHOUT ROWID;

-- One-time links: invitations, the confirmation of a notice address, recovery. Only a hash of the token is kept.
CREATE TABLE one_time_link (
  hashed BLOB PRIMARY KEY CHECK (length(hashed) = 32),
  purpose TEXT NOT NULL CHECK (purpose IN ('invitation', 'notice-address', 'recovery')),
  account_id TEXT NOT NULL REFERENCES account (id),
  facts TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_link_account ON one_time_link (account_id, purpose);

-- The recovery of a lost second factor, at most one open per account.
CREATE TABLE recovery (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'cancelled', 'done', 'lapsed')),
  begun_at INTEGER NOT NULL,
  begun_from TEXT NOT NULL,
  opens_at INTEGER NOT NULL,
  closes_at INTEGER NOT NULL,
  noticed_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX recovery_open ON recovery (account_id) WHERE state = 'waiting';

-- Notices to be sent by mail; written by the verb, in its own transaction.
CREATE TABLE notice (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  recipient TEXT NOT NULL,
  kind TEXT NOT NULL,
  facts TEXT NOT NULL,
  sealed BLOB,
  made_at INTEGER NOT NULL,
  tries INTEGER NOT NULL CHECK (tries >= 0),
  next_try_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_order ON notice (next_try_at)
"""

_COUNTS = """
-- credential_id '' is the main password or no credential. The day is first: a day's rows lie together, so that today's
-- are at hand, and old ones go in one piece.
CREATE TABLE login_day (
  day INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  result TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (day, account_id, credential_id, protocol, result)
) STRICT, WITHOUT ROWID;

CREATE TABLE login_hour (
  hour INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  result TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (hour, protocol, result)
) STRICT, WITHOUT ROWID;

CREATE TABLE adoption_day (
  day INTEGER PRIMARY KEY,
  people INTEGER NOT NULL,
  with_second_factor INTEGER NOT NULL,
  with_passkey INTEGER NOT NULL
) STRICT
"""

_CONSOLE = """
CREATE TABLE api_token (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  actions TEXT NOT NULL,
  allowed_ips TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_from TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  last_used_at INTEGER,
  last_used_address TEXT NOT NULL,
  revoked_at INTEGER,
  revoked_by TEXT,
  key_number INTEGER NOT NULL CHECK (key_number > 0),
  -- A revoked one keeps nothing of its secret.
  secret_index BLOB UNIQUE CHECK (length(secret_index) = 32),
  CHECK ((revoked_at IS NULL) = (secret_index IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX api_token_account ON api_token (account_id);

CREATE TABLE proposal (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  account_id TEXT REFERENCES account (id),
  facts TEXT NOT NULL,
  reason TEXT NOT NULL,
  proposed_by TEXT NOT NULL,
  proposed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'countersigned', 'declined', 'withdrawn', 'lapsed')),
  decided_by TEXT,
  decided_at INTEGER,
  -- Two administrators means two.
  CHECK (state <> 'countersigned' OR (decided_by IS NOT NULL AND decided_by <> proposed_by))
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_order ON proposal (proposed_at);

-- The policy and the named networks as the console saved them; no row: those of the configuration file hold.
CREATE TABLE site_rules (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  policy TEXT,
  networks TEXT
) STRICT;

-- What an API request with an idempotency key was answered, without any secret.
CREATE TABLE api_answer (
  token_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
  status INTEGER,
  body TEXT,
  made_at INTEGER NOT NULL,
  PRIMARY KEY (token_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_answer_age ON api_answer (made_at)
"""

_BY_TIME = """
CREATE INDEX audit_kind ON audit (kind, number);
CREATE INDEX audit_actor ON audit (actor, number);
CREATE INDEX app_password_order ON app_password (created_at, id)
"""


def upgrade() -> None:
    """Make the tables and indexes."""
    for part in (_ROLES, _SIGN_IN, _COUNTS, _CONSOLE, _BY_TIME):
        for statement in part.split(";\n"):
            op.execute(statement)
