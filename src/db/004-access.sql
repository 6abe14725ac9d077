-- Times are milliseconds since 1970. Secrets are kept as SHA-256 in hexadecimal, passwords as argon2id.
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  -- The name without case, so that two people cannot be told apart by case alone.
  name_key TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('administrator', 'reviewer', 'owner', 'viewer')),
  is_disabled INTEGER NOT NULL DEFAULT 0 CHECK (is_disabled IN (0, 1)),
  -- NULL: cannot sign in with a password.
  password_hash TEXT,
  must_change_password INTEGER NOT NULL DEFAULT 0 CHECK (must_change_password IN (0, 1)),
  -- NULL: as the browser wishes.
  language TEXT,
  theme TEXT,
  created_ms INTEGER NOT NULL,
  signed_in_ms INTEGER,
  -- Who changed what last; the revision counts changes.
  revision INTEGER NOT NULL DEFAULT 1,
  changed_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL,
  changed_what TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Users as a single sign-on provider knows them.
CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_user ON identities (user);

-- One link a user; a new one replaces it.
CREATE TABLE password_resets (
  user TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  -- For people and forms; the token is another thing.
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  previous_hash TEXT,
  rotated_ms INTEGER NOT NULL,
  -- Whether the newest token was seen, so that the one before can end.
  is_confirmed INTEGER NOT NULL DEFAULT 1 CHECK (is_confirmed IN (0, 1)),
  created_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  address TEXT NOT NULL,
  agent TEXT NOT NULL,
  way TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_previous ON sessions (previous_hash) WHERE previous_hash IS NOT NULL;

-- Failed sign-ins in a row, by "name:…" and "address:…".
CREATE TABLE lock_outs (
  subject TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The oldest are removed.
CREATE TABLE sign_ons (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  way TEXT NOT NULL,
  result TEXT NOT NULL,
  -- Equal ones within a short time are one row.
  attempts INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX sign_ons_by_name ON sign_ons (name, id);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL,
  -- The secret before the last rotation.
  previous_hash TEXT,
  previous_until_ms INTEGER,
  -- JSON, as in access/key-scope.ts.
  scope TEXT NOT NULL,
  expires_ms INTEGER,
  rate_per_second REAL,
  burst INTEGER,
  daily_quota INTEGER,
  -- Days since 1970 in UTC, and the requests of that day.
  quota_day INTEGER NOT NULL DEFAULT 0,
  quota_used INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  last_used_ms INTEGER,
  revoked_ms INTEGER,
  revoked_by TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_owner ON api_keys (owner);

-- Single values: the secret behind form tokens, the hash of the set-up token.
CREATE TABLE access_state (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done, for ever. The columns after the hash are read out of the entry, which the hash covers with the one before.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  -- Canonical JSON, as in access/audit-entry.ts.
  entry TEXT NOT NULL,
  hash TEXT NOT NULL,
  at_ms INTEGER GENERATED ALWAYS AS (json_extract(entry, '$.atMs')) VIRTUAL,
  actor TEXT GENERATED ALWAYS AS (json_extract(entry, '$.actor.name')) VIRTUAL,
  action TEXT GENERATED ALWAYS AS (json_extract(entry, '$.action')) VIRTUAL,
  target TEXT GENERATED ALWAYS AS (json_extract(entry, '$.target')) VIRTUAL
) STRICT;

CREATE INDEX audit_by_time ON audit (at_ms);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_target ON audit (target, seq);

-- How long the trail is and its last hash, so that a cut end is noticed.
CREATE TABLE audit_head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  count INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

INSERT INTO audit_head VALUES (1, 0, '');

CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;

-- INSERT OR REPLACE removes a row without asking the trigger above.
CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit
WHEN NEW.seq <> (SELECT count + 1 FROM audit_head)
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;

CREATE TRIGGER audit_head_not_removed BEFORE DELETE ON audit_head
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
