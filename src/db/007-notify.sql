-- Times are milliseconds since 1970.
ALTER TABLE users ADD COLUMN email TEXT;
-- Whether what is in the inbox comes by mail too, where there is an address.
ALTER TABLE users ADD COLUMN mail_me INTEGER NOT NULL DEFAULT 1 CHECK (mail_me IN (0, 1));

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL,
  -- JSON: a list of kinds, or "*" for all, also those of later releases.
  kinds TEXT NOT NULL,
  -- Only events about these; NULL: about any.
  environment TEXT,
  endpoint TEXT,
  -- Sealed, as in access/sealed.ts; its key is a file beside the database.
  secret TEXT NOT NULL,
  is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
  created_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  -- JSON: {"en": …, "zh": …}
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  -- Of the page about it.
  path TEXT NOT NULL,
  -- JSON, as it goes to webhooks.
  data TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_time ON events (at_ms);

CREATE TABLE inbox (
  user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  -- NULL: not read yet.
  read_ms INTEGER,
  PRIMARY KEY (user, event)
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_by_event ON inbox (event);
CREATE INDEX inbox_unread ON inbox (user, event) WHERE read_ms IS NULL;

-- One event on its way to one receiver. Written with the event, so that whatever was posted is delivered at least once.
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  -- What receivers know it by, the same for each attempt.
  id TEXT NOT NULL UNIQUE,
  event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  -- One of the two.
  webhook TEXT REFERENCES webhooks (id) ON DELETE CASCADE,
  user TEXT REFERENCES users (id) ON DELETE CASCADE,
  receiver TEXT GENERATED ALWAYS AS (coalesce(webhook, user)) VIRTUAL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  -- When it was put in line, how often it failed since, and when it is next tried.
  queued_ms INTEGER NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER NOT NULL,
  -- Of the last attempt: when, the status of HTTP or SMTP if there was one, and what was answered, cut.
  tried_ms INTEGER,
  status INTEGER,
  answer TEXT,
  CHECK ((webhook IS NULL) <> (user IS NULL))
) STRICT;

CREATE INDEX deliveries_due ON deliveries (due_ms, seq) WHERE state = 'pending';
CREATE INDEX deliveries_by_event ON deliveries (event);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, seq) WHERE webhook IS NOT NULL;
CREATE INDEX deliveries_by_user ON deliveries (user) WHERE user IS NOT NULL;
