"""The first tables.

Times are integer microseconds since 1970 UTC. Ids are public and never reused; accounts, app passwords and audit
records are never deleted, so nothing that happened loses its subject.
"""

from alembic import op

revision = "0001"
down_revision = None

_ACCOUNTS = """
CREATE TABLE account (
  id TEXT PRIMARY KEY,
  address TEXT NOT NULL UNIQUE REFERENCES address (address) DEFERRABLE INITIALLY DEFERRED,
  kind TEXT NOT NULL CHECK (kind IN ('person', 'shared')),
  state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
  rights TEXT NOT NULL,
  is_admin INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
  created_at INTEGER NOT NULL,
  changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every name that logs in, the primary address of an account among them.
CREATE TABLE address (
  address TEXT PRIMARY KEY CHECK (address LIKE '%_@_%'),
  account_id TEXT NOT NULL REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX address_account ON address (account_id);

CREATE TABLE owner (
  shared_id TEXT NOT NULL REFERENCES account (id),
  person_id TEXT NOT NULL REFERENCES account (id),
  PRIMARY KEY (shared_id, person_id),
  CHECK (shared_id <> person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX owner_person ON owner (person_id);

CREATE TABLE main_password (
  account_id TEXT PRIMARY KEY REFERENCES account (id),
  hashed TEXT NOT NULL CHECK (hashed LIKE '$argon2id$%')
) STRICT, WITHOUT ROWID;

CREATE TABLE upstream_password (
  account_id TEXT PRIMARY KEY REFERENCES account (id),
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""

_APP_PASSWORDS = """
CREATE TABLE app_password (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  description TEXT NOT NULL CHECK (length(description) BETWEEN 1 AND 100),
  format TEXT NOT NULL CHECK (format IN ('default', 'device')),
  permission_mode TEXT NOT NULL CHECK (permission_mode IN ('inherit', 'restrict', 'replace')),
  permissions TEXT NOT NULL,
  protocols TEXT NOT NULL,
  expires_at INTEGER,
  idle_for INTEGER CHECK (idle_for > 0),
  network_rule TEXT NOT NULL CHECK (network_rule IN ('anywhere', 'allowed', 'pinned')),
  allowed_ips TEXT NOT NULL,
  pinned_network TEXT,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_from TEXT NOT NULL,
  lapsed_at INTEGER,
  revoked_at INTEGER,
  revoked_by TEXT,
  revoked_reason TEXT,
  last_use_at INTEGER,
  last_use_address TEXT,
  last_use_protocol TEXT,
  last_use_client TEXT,
  last_refusal_at INTEGER,
  last_refusal_address TEXT,
  last_refusal_protocol TEXT,
  last_refusal_reason TEXT,
  secret_index BLOB UNIQUE CHECK (length(secret_index) = 16),
  tag BLOB CHECK (length(tag) = 32),
  key_number INTEGER CHECK (key_number > 0),
  slow_hash TEXT,
  -- A revoked one keeps nothing of its secret, and a live one has all that proves it.
  CHECK ((revoked_at IS NULL) = (secret_index IS NOT NULL)),
  CHECK ((revoked_at IS NULL) = (tag IS NOT NULL)),
  CHECK ((revoked_at IS NULL) = (key_number IS NOT NULL)),
  CHECK (revoked_at IS NULL OR (slow_hash IS NULL AND revoked_by IS NOT NULL AND revoked_reason IS NOT NULL)),
  CHECK (network_rule = 'pinned' OR pinned_network IS NULL)
) STRICT;
CREATE INDEX app_password_account ON app_password (account_id, created_at);
CREATE INDEX app_password_expiry ON app_password (expires_at)
  WHERE expires_at IS NOT NULL AND lapsed_at IS NULL AND revoked_at IS NULL
"""

_SIGN_IN = """
CREATE TABLE totp (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES account (id),
  name TEXT NOT NULL,
  sealed_seed BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  wrong_codes INTEGER NOT NULL CHECK (wrong_codes >= 0),
  wrong_at INTEGER,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX totp_account ON totp (account_id);

CREATE TABLE recovery_code (
  account_id TEXT NOT NULL REFERENCES account (id),
  hashed BLOB NOT NULL CHECK (length(hashed) = 32),
  drawn_at INTEGER NOT NULL,
  used_at INTEGER,
  PRIMARY KEY (account_id, hashed)
) STRICT, WITHOUT ROWID;

CREATE TABLE portal_session (
  id_hash BLOB PRIMARY KEY CHECK (length(id_hash) = 32),
  account_id TEXT NOT NULL REFERENCES account (id),
  csrf TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  proven_at INTEGER,
  has_second_factor INTEGER NOT NULL CHECK (has_second_factor IN (0, 1)),
  address TEXT NOT NULL,
  client TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX portal_session_account ON portal_session (account_id);

CREATE TABLE throttle_secret (
  window INTEGER NOT NULL,
  network TEXT NOT NULL,
  secret_key BLOB NOT NULL,
  failures INTEGER NOT NULL CHECK (failures > 0),
  PRIMARY KEY (window, network, secret_key)
) STRICT, WITHOUT ROWID;

-- How many distinct (network, secret) pairs failed; the network '' counts all.
CREATE TABLE throttle_total (
  window INTEGER NOT NULL,
  network TEXT NOT NULL,
  secrets INTEGER NOT NULL CHECK (secrets > 0),
  PRIMARY KEY (window, network)
) STRICT, WITHOUT ROWID
"""

_AUDIT = """
CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  actor_address TEXT NOT NULL,
  account_id TEXT,
  credential_id TEXT,
  kind TEXT NOT NULL,
  facts TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_account ON audit (account_id, number);

-- The one row that numbers changes and remembers the end of the chain.
CREATE TABLE counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL CHECK (number >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO counter (id, number, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE key_check (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT;

-- account_id '' is the list of names that nobody has; credential_id '' is no credential.
CREATE TABLE login_event (
  id INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  network TEXT NOT NULL,
  client TEXT NOT NULL,
  result TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL CHECK (last_at >= first_at),
  count INTEGER NOT NULL CHECK (count > 0),
  UNIQUE (account_id, credential_id, protocol, network, client, result)
) STRICT;
CREATE INDEX login_event_order ON login_event (account_id, last_at);

CREATE TABLE login_event_list (
  account_id TEXT PRIMARY KEY,
  entries INTEGER NOT NULL CHECK (entries >= 0),
  dropped INTEGER NOT NULL CHECK (dropped >= 0)
) STRICT, WITHOUT ROWID
"""

_TRIGGERS = (
    """
CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never altered'); END
""",
    """
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'audit records are never deleted'); END
""",
    """
CREATE TRIGGER login_event_added AFTER INSERT ON login_event
BEGIN
  INSERT INTO login_event_list (account_id, entries, dropped) VALUES (new.account_id, 1, 0)
  ON CONFLICT (account_id) DO UPDATE SET entries = entries + 1;
END
""",
)


def upgrade() -> None:
    """Make every table, index and trigger."""
    for part in (_ACCOUNTS, _APP_PASSWORDS, _SIGN_IN, _AUDIT):
        for statement in part.split(";\n"):
            op.execute(statement)
    for trigger in _TRIGGERS:
        op.execute(trigger)
