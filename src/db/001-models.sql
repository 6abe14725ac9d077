CREATE TABLE models (
  name TEXT PRIMARY KEY,
  created_at TEXT NOT NULL,
  -- Numbers are given out once: a removed version's number stays unused.
  next_version INTEGER NOT NULL DEFAULT 1,
  current INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
  model TEXT NOT NULL REFERENCES models (name) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number > 0),
  -- JSON, each as in types.ts.
  manifest TEXT NOT NULL,
  signature TEXT NOT NULL,
  facts TEXT NOT NULL,
  warnings TEXT NOT NULL,
  -- Path of the ONNX file among the version's files.
  entry TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  loaded INTEGER NOT NULL DEFAULT 0 CHECK (loaded IN (0, 1)),
  PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID;

-- A row means that blobs/<2 hex>/<sha256> is complete and safe on disk.
CREATE TABLE blobs (
  sha256 TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
  model TEXT NOT NULL,
  version INTEGER NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL REFERENCES blobs (sha256),
  PRIMARY KEY (model, version, path),
  FOREIGN KEY (model, version) REFERENCES versions (model, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX files_by_blob ON files (sha256);

-- What has arrived of an upload is the size of uploads/<id>, so it is not kept here.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
