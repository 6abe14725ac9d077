// The log of decisions about instances: what was decided, about what, and why, newest last in SQLite and in the server's
// own log. Decides nothing.
import type { Database } from 'bun:sqlite';

import { log } from '../log.ts';

export const decisionKinds = [
  'placed',
  'evicted',
  'refused',
  'moved',
  'lost',
  'scaled',
  'failed',
  'restarted',
  'provider',
  'measured',
  'shrunk',
  'loaded',
  'unloaded',
] as const;

export type DecisionKind = (typeof decisionKinds)[number];

export interface Decision {
  /** Rises with time. */
  id: number;
  /** ISO 8601. */
  at: string;
  kind: DecisionKind;
  model?: string;
  version?: number;
  deviceId?: string;
  instance?: string;
  /** For a person. */
  reason: string;
}

export interface DecisionFilter {
  model?: string;
  kind?: DecisionKind;
  /** Only those with a lower id. */
  before?: number;
  limit: number;
}

export interface DecisionLog {
  add(decision: Omit<Decision, 'id' | 'at'>): void;
  /** Newest first. */
  list(filter: DecisionFilter): Decision[];
  /** How many were added since the server started. */
  totals(): Record<DecisionKind, number>;
}

interface Options {
  now?: () => Date;
  /** How many stay. */
  keep?: number;
}

interface Row {
  id: number;
  at: string;
  kind: DecisionKind;
  model: string | null;
  version: number | null;
  deviceId: string | null;
  instance: string | null;
  reason: string;
}

type FilterRow = Record<'model' | 'kind', string | null> & { before: number; limit: number };

/** What an administrator should look at. */
const worrying: ReadonlySet<DecisionKind> = new Set<DecisionKind>(['refused', 'lost', 'failed', 'restarted']);

export function createDecisionLog(db: Database, { now = () => new Date(), keep = 10_000 }: Options = {}): DecisionLog {
  const insert = db.query<{ id: number }, Record<string, string | number | null>>(
    `INSERT INTO decisions (at, kind, model, version, device_id, instance, reason)
     VALUES ($at, $kind, $model, $version, $deviceId, $instance, $reason) RETURNING id`,
  );
  const forget = db.query<undefined, [number]>('DELETE FROM decisions WHERE id <= ?');
  const select = db.query<Row, FilterRow>(
    `SELECT id, at, kind, model, version, device_id AS deviceId, instance, reason FROM decisions
     WHERE id < $before AND ($model IS NULL OR model = $model) AND ($kind IS NULL OR kind = $kind)
     ORDER BY id DESC LIMIT $limit`,
  );
  const store = db.transaction((row: Record<string, string | number | null>) => {
    forget.run(insert.get(row)!.id - keep);
  });
  const totals = Object.fromEntries(decisionKinds.map((kind) => [kind, 0])) as Record<DecisionKind, number>;
  return {
    add(decision) {
      const { kind, model = null, version = null, deviceId = null, instance = null, reason } = decision;
      store({ at: now().toISOString(), kind, model, version, deviceId, instance, reason });
      totals[kind] += 1;
      log(worrying.has(kind) ? 'warn' : 'info', 'decision', { ...decision });
    },
    list({ model = null, kind = null, before = Number.MAX_SAFE_INTEGER, limit }) {
      return select.all({ model, kind, before, limit }).map(toDecision);
    },
    totals: () => ({ ...totals }),
  };
}

function toDecision({ model, version, deviceId, instance, ...row }: Row): Decision {
  return {
    ...row,
    ...(model !== null && { model }),
    ...(version !== null && { version }),
    ...(deviceId !== null && { deviceId }),
    ...(instance !== null && { instance }),
  };
}
