-- Devices and addresses from which somebody signed in before, by "device:HASH" and "address:BLOCK": others who guess at the
-- name do not shut these out.
CREATE TABLE known_origins (
  user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  origin TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (user, origin)
) STRICT, WITHOUT ROWID;

-- Whether the session was opened over TLS: one whose token crossed the network in the clear is not good over TLS.
ALTER TABLE sessions ADD COLUMN is_secure INTEGER NOT NULL DEFAULT 0;
