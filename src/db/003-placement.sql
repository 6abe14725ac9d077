-- What people wish of where a model runs (JSON, as in device/placement-settings.ts); a model without a row has the defaults.
CREATE TABLE placement_settings (
  model TEXT PRIMARY KEY REFERENCES models (name) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  changed_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How a model did with an execution provider. The stack names all that may change the outcome: runtime, pack, driver, device.
CREATE TABLE provider_trials (
  -- Of the ONNX file.
  sha256 TEXT NOT NULL,
  provider TEXT NOT NULL,
  stack TEXT NOT NULL,
  -- JSON, as in inference/provider-trial.ts.
  trial TEXT NOT NULL,
  tried_at TEXT NOT NULL,
  PRIMARY KEY (sha256, provider, stack)
) STRICT, WITHOUT ROWID;

-- What was decided about instances, and why. The oldest are removed.
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  model TEXT,
  version INTEGER,
  device_id TEXT,
  instance TEXT,
  reason TEXT NOT NULL
) STRICT;

CREATE INDEX decisions_by_model ON decisions (model, id);
