-- Times are milliseconds since 1970. JSON as in release/types.ts.
CREATE TABLE environments (
  name TEXT PRIMARY KEY CHECK (name IN ('staging', 'production')),
  settings TEXT NOT NULL,
  -- Counts changes, so that the second of two who edit at once is told.
  revision INTEGER NOT NULL DEFAULT 1,
  changed_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
  -- What clients call.
  name TEXT PRIMARY KEY,
  environment TEXT NOT NULL REFERENCES environments (name),
  -- Its own host name; without case.
  domain TEXT UNIQUE,
  created_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint TEXT NOT NULL,
  environment TEXT NOT NULL REFERENCES environments (name),
  -- No reference: what was live once stays in the history after its version was removed.
  model TEXT NOT NULL,
  version INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'submitted', 'changes-asked', 'rejected', 'withdrawn', 'approved',
    'rolling-out', 'live', 'superseded', 'rolled-back', 'failed')),
  -- Why it is in that state, for a person.
  reason TEXT NOT NULL DEFAULT '',
  request TEXT NOT NULL,
  requester_id TEXT NOT NULL,
  requester TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  submitted_ms INTEGER,
  decided_ms INTEGER,
  decided_by TEXT,
  -- Where a rollout is.
  stage TEXT,
  live_ms INTEGER,
  ended_ms INTEGER,
  -- Its instances stay until then, so that going back takes no time.
  warm_until_ms INTEGER,
  -- The guard goes on looking until then, and compares with what the one before did.
  watch_until_ms INTEGER,
  baseline TEXT,
  -- The one that it took the place of.
  replaced INTEGER
) STRICT;

CREATE INDEX releases_by_endpoint ON releases (endpoint, id);
CREATE INDEX releases_by_state ON releases (state);
CREATE INDEX releases_by_version ON releases (model, version);
CREATE UNIQUE INDEX releases_one_live ON releases (endpoint) WHERE state = 'live';
CREATE UNIQUE INDEX releases_one_rollout ON releases (endpoint) WHERE state = 'rolling-out';

-- What happened to a release, for ever: requests, comments, decisions, steps.
CREATE TABLE release_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  release INTEGER NOT NULL REFERENCES releases (id),
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor TEXT NOT NULL,
  text TEXT NOT NULL,
  data TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE INDEX release_events_by_release ON release_events (release, id);

-- What people say of a version beside its manifest, which never changes.
CREATE TABLE version_notes (
  model TEXT NOT NULL,
  version INTEGER NOT NULL,
  tags TEXT NOT NULL DEFAULT '[]',
  note TEXT NOT NULL DEFAULT '',
  -- Archived versions are kept and not offered.
  archived_ms INTEGER,
  changed_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL,
  PRIMARY KEY (model, version),
  FOREIGN KEY (model, version) REFERENCES versions (model, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What becomes of old versions of a model (JSON).
CREATE TABLE retention (
  model TEXT PRIMARY KEY REFERENCES models (name) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  changed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
