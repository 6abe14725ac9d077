-- What instances were measured to need. Nothing refers to versions: the same file measured once serves all of them.
CREATE TABLE footprints (
  -- Of the ONNX file.
  sha256 TEXT NOT NULL,
  kind TEXT NOT NULL,
  provider TEXT NOT NULL,
  -- Largest batch.
  batch INTEGER NOT NULL CHECK (batch >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  host_bytes INTEGER NOT NULL CHECK (host_bytes >= 0),
  load_ms REAL NOT NULL,
  run_ms REAL NOT NULL,
  measured_at TEXT NOT NULL,
  PRIMARY KEY (sha256, kind, provider, batch)
) STRICT, WITHOUT ROWID;
