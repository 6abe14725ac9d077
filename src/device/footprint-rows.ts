// Measured footprints in SQLite, so that a model is measured once for each way to run it. Knows neither how they are
// measured nor what they are for.
import type { Database } from 'bun:sqlite';

import type { Target } from './placement-types.ts';

/** The same model run the same way. */
export interface FootprintKey extends Target {
  /** Of the ONNX file. */
  sha256: string;
}

export interface FootprintRow {
  /** Of the device's memory. */
  bytes: number;
  hostBytes: number;
  loadMs: number;
  runMs: number;
  /** ISO 8601. */
  measuredAt: string;
}

export interface FootprintStore {
  find(key: FootprintKey): FootprintRow | undefined;
  /** All of a model, however it is run; by batch size. */
  list(sha256: string): (Target & FootprintRow)[];
  /** Replaces an earlier measurement. */
  put(key: FootprintKey, row: FootprintRow): void;
}

export function createFootprintStore(db: Database): FootprintStore {
  const select = db.query<FootprintRow, FootprintKey & Record<string, string | number>>(
    `SELECT bytes, host_bytes AS hostBytes, load_ms AS loadMs, run_ms AS runMs, measured_at AS measuredAt
     FROM footprints WHERE sha256 = $sha256 AND kind = $kind AND provider = $provider AND batch = $batch`,
  );
  const all = db.query<Target & FootprintRow, { sha256: string }>(
    `SELECT kind, provider, batch, bytes, host_bytes AS hostBytes, load_ms AS loadMs, run_ms AS runMs,
     measured_at AS measuredAt FROM footprints WHERE sha256 = $sha256 ORDER BY batch`,
  );
  const replace = db.query<undefined, Record<string, string | number>>(
    `INSERT OR REPLACE INTO footprints
     VALUES ($sha256, $kind, $provider, $batch, $bytes, $hostBytes, $loadMs, $runMs, $measuredAt)`,
  );
  return {
    find: ({ sha256, kind, provider, batch }) => select.get({ sha256, kind, provider, batch }) ?? undefined,
    list: (sha256) => all.all({ sha256 }),
    put({ sha256, kind, provider, batch }, { bytes, hostBytes, loadMs, runMs, measuredAt }) {
      replace.run({ sha256, kind, provider, batch, bytes, hostBytes, loadMs, runMs, measuredAt });
    },
  };
}
