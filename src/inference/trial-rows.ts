// Outcomes of provider trials in SQLite, so that a model is tried once with each provider on each kind of machine.
import type { Database } from 'bun:sqlite';

import type { ProviderTrial } from './provider-trial.ts';
import type { ProviderName } from './session.ts';

export interface TrialKey {
  /** Of the ONNX file. */
  sha256: string;
  provider: ProviderName;
  /** All that may change the outcome: runtime, pack, driver, device. */
  stack: string;
}

export interface TrialStore {
  find(key: TrialKey): ProviderTrial | undefined;
  /** Replaces an earlier outcome. */
  put(key: TrialKey, trial: ProviderTrial): void;
}

export function createTrialStore(db: Database, now: () => Date = () => new Date()): TrialStore {
  const select = db.query<{ trial: string }, [string, string, string]>(
    'SELECT trial FROM provider_trials WHERE sha256 = ? AND provider = ? AND stack = ?',
  );
  const replace = db.query<undefined, [string, string, string, string, string]>(
    'INSERT OR REPLACE INTO provider_trials VALUES (?, ?, ?, ?, ?)',
  );
  return {
    find({ sha256, provider, stack }) {
      const row = select.get(sha256, provider, stack);
      return row ? (JSON.parse(row.trial) as ProviderTrial) : undefined;
    },
    put({ sha256, provider, stack }, trial) {
      replace.run(sha256, provider, stack, JSON.stringify(trial), now().toISOString());
    },
  };
}
