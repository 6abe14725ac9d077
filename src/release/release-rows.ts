// Releases, their events and endpoints as rows of the database. Every function is one statement or one transaction; what
// the steps mean is none of its business.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { ReleaseFilter } from './control.ts';
import { requireFollow } from './states.ts';
import type { EnvironmentName, Release, ReleaseEvent, ReleaseRequest, ReleaseState, Stage } from './types.ts';

interface ReleaseRow {
  id: number;
  state: ReleaseState;
  reason: string;
  request: string;
  requester_id: string;
  requester: string;
  revision: number;
  created_ms: number;
  changed_ms: number;
  submitted_ms: number | null;
  decided_ms: number | null;
  decided_by: string | null;
  stage: string | null;
  live_ms: number | null;
  ended_ms: number | null;
  warm_until_ms: number | null;
  watch_until_ms: number | null;
  replaced: number | null;
}

interface EventRow {
  id: number;
  release: number;
  at_ms: number;
  kind: ReleaseEvent['kind'];
  actor_id: string;
  actor: string;
  text: string;
  data: string;
}

export interface EndpointRow {
  name: string;
  environment: EnvironmentName;
  domain: string | null;
  created_ms: number;
  created_by: string;
}

/** What may change of a release beside its state; null takes a value away. */
export interface ReleaseChange {
  reason?: string;
  submittedMs?: number;
  decidedMs?: number | null;
  decidedBy?: string | null;
  stage?: Stage | null;
  liveMs?: number;
  endedMs?: number | null;
  warmUntilMs?: number | null;
  watchUntilMs?: number | null;
  replaced?: number | null;
}

/** Who did something. */
export interface By {
  id: string;
  name: string;
}

export const bySystem: By = { id: 'system', name: 'system' };

const columns =
  'id, state, reason, request, requester_id, requester, revision, created_ms, changed_ms, submitted_ms, decided_ms, ' +
  'decided_by, stage, live_ms, ended_ms, warm_until_ms, watch_until_ms, replaced';
const usualLimit = 50;
const mostLimit = 1000;

export class ReleaseRows {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /** All of it or nothing. */
  transaction<T>(work: () => T): T {
    return this.db.transaction(work).immediate();
  }

  find(id: number): Release | undefined {
    const row = this.db.query<ReleaseRow, [number]>(`SELECT ${columns} FROM releases WHERE id = ?`).get(id);
    return row ? toRelease(row) : undefined;
  }

  /** @throws AppError not_found */
  get(id: number): Release {
    const release = this.find(id);
    if (release) return release;
    throw new AppError('not_found', `There is no release ${id}.`, 'List the releases to see what there is.');
  }

  /** Newest first. */
  list({ state, endpoint, model, environment, before, limit = usualLimit }: ReleaseFilter = {}): Release[] {
    const wanted = { state, endpoint, model, environment };
    const conditions = Object.entries(wanted).filter(([, value]) => value !== undefined) as [string, string][];
    const where = [...conditions.map(([name]) => `${name} = ?`), ...(before === undefined ? [] : ['id < ?'])];
    const values = [...conditions.map(([, value]) => value), ...(before === undefined ? [] : [before])];
    return this.db
      .query<ReleaseRow, (string | number)[]>(
        `SELECT ${columns} FROM releases ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
         ORDER BY id DESC LIMIT ${Math.min(limit, mostLimit)}`,
      )
      .all(...values)
      .map(toRelease);
  }

  /** Oldest first. */
  inState(...states: ReleaseState[]): Release[] {
    return this.db
      .query<ReleaseRow, string[]>(
        `SELECT ${columns} FROM releases WHERE state IN (${states.map(() => '?').join()}) ORDER BY id`,
      )
      .all(...states)
      .map(toRelease);
  }

  /** Those whose instances stay for going back. */
  warm(): Release[] {
    return this.db
      .query<ReleaseRow, []>(`SELECT ${columns} FROM releases WHERE warm_until_ms IS NOT NULL ORDER BY id`)
      .all()
      .map(toRelease);
  }

  count(state: ReleaseState): number {
    return this.db
      .query<{ count: number }, [string]>('SELECT count(*) AS count FROM releases WHERE state = ?')
      .get(state)!.count;
  }

  countStates(): { state: ReleaseState; count: number }[] {
    return this.db
      .query<{ state: ReleaseState; count: number }, []>('SELECT state, count(*) AS count FROM releases GROUP BY state')
      .all();
  }

  /** By endpoint and by whether the server did it itself. */
  countTakenBack() {
    return this.db
      .query<{ endpoint: string; kind: 'rolled-back' | 'failed'; by: 'server' | 'person'; count: number }, []>(
        `SELECT endpoint, kind, iif(actor_id = 'system' AND actor = 'system', 'server', 'person') AS by, count(*) AS count
         FROM release_events JOIN releases ON releases.id = release
         WHERE kind IN ('rolled-back', 'failed') GROUP BY endpoint, kind, by ORDER BY endpoint, kind, by`,
      )
      .all();
  }

  /** Whether a release that may still serve, or serve again by a rollback, is of this version. */
  isNeeded(model: string, version: number): boolean {
    const open = "'draft', 'submitted', 'changes-asked', 'approved', 'rolling-out', 'live'";
    return (
      this.db
        .query(
          `SELECT 1 FROM releases WHERE model = ? AND version = ?
           AND (state IN (${open}) OR warm_until_ms IS NOT NULL) LIMIT 1`,
        )
        .get(model, version) !== null
    );
  }

  /** Where something was live under this name, last. */
  environmentOf(endpoint: string): EnvironmentName | undefined {
    const query =
      'SELECT environment FROM releases WHERE endpoint = ? AND live_ms IS NOT NULL ORDER BY id DESC LIMIT 1';
    return this.db.query<{ environment: EnvironmentName }, [string]>(query).get(endpoint)?.environment;
  }

  wasLive(model: string, version: number): boolean {
    const query = 'SELECT 1 FROM releases WHERE model = ? AND version = ? AND live_ms IS NOT NULL LIMIT 1';
    return this.db.query(query).get(model, version) !== null;
  }

  insert(request: ReleaseRequest, requester: By): Release {
    const now = this.now();
    const { endpoint, environment, model, version } = request;
    const { id } = this.db
      .query<{ id: number }, (string | number)[]>(
        `INSERT INTO releases (endpoint, environment, model, version, state, request, requester_id, requester, created_ms, changed_ms)
         VALUES (?, ?, ?, ?, 'draft', ?, ?, ?, ?, ?) RETURNING id`,
      )
      .get(endpoint, environment, model, version, JSON.stringify(request), requester.id, requester.name, now, now)!;
    return this.get(id);
  }

  setRequest(id: number, request: ReleaseRequest): Release {
    const { endpoint, environment, model, version } = request;
    this.db.run(
      `UPDATE releases SET endpoint = ?, environment = ?, model = ?, version = ?, request = ?,
       revision = revision + 1, changed_ms = ? WHERE id = ?`,
      [endpoint, environment, model, version, JSON.stringify(request), this.now(), id],
    );
    return this.get(id);
  }

  /** @throws AppError conflict when that state cannot follow */
  move(id: number, state: ReleaseState, change: ReleaseChange = {}): Release {
    requireFollow(this.get(id).state, state);
    this.db.run('UPDATE releases SET state = ?, revision = revision + 1 WHERE id = ?', [state, id]);
    return this.change(id, change);
  }

  change(id: number, change: ReleaseChange): Release {
    const values: Record<string, string | number | null> = { changed_ms: this.now() };
    for (const [key, value] of Object.entries(change)) {
      const column = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      values[column] = key === 'stage' && value !== null ? JSON.stringify(value) : (value as string | number | null);
    }
    const names = Object.keys(values);
    this.db.run(`UPDATE releases SET ${names.map((name) => `${name} = ?`).join()} WHERE id = ?`, [
      ...Object.values(values),
      id,
    ]);
    return this.get(id);
  }

  /** JSON of what the one before did, for the watch after going live. */
  baseline(id: number): string | undefined {
    const query = 'SELECT baseline FROM releases WHERE id = ?';
    return this.db.query<{ baseline: string | null }, [number]>(query).get(id)?.baseline ?? undefined;
  }

  setBaseline(id: number, json: string): void {
    this.db.run('UPDATE releases SET baseline = ? WHERE id = ?', [json, id]);
  }

  addEvent(release: number, kind: ReleaseEvent['kind'], by: By, text: string, data: object = {}): ReleaseEvent {
    const row = this.db
      .query<EventRow, (string | number)[]>(
        `INSERT INTO release_events (release, at_ms, kind, actor_id, actor, text, data) VALUES (?, ?, ?, ?, ?, ?, ?)
         RETURNING *`,
      )
      .get(release, this.now(), kind, by.id, by.name, text, JSON.stringify(data))!;
    return toEvent(row);
  }

  /** Oldest first. */
  events(release: number): ReleaseEvent[] {
    return this.db
      .query<EventRow, [number]>('SELECT * FROM release_events WHERE release = ? ORDER BY id')
      .all(release)
      .map(toEvent);
  }

  /** Of all releases of an endpoint, newest first. */
  eventsOf(endpoint: string, limit: number): ReleaseEvent[] {
    return this.db
      .query<EventRow, [string, number]>(
        `SELECT release_events.* FROM release_events JOIN releases ON releases.id = release
         WHERE endpoint = ? ORDER BY release_events.id DESC LIMIT ?`,
      )
      .all(endpoint, limit)
      .map(toEvent);
  }

  endpoints(): EndpointRow[] {
    return this.db.query<EndpointRow, []>('SELECT * FROM endpoints ORDER BY name').all();
  }

  findEndpoint(name: string): EndpointRow | undefined {
    return this.db.query<EndpointRow, [string]>('SELECT * FROM endpoints WHERE name = ?').get(name) ?? undefined;
  }

  putEndpoint({ name, environment, domain }: Pick<EndpointRow, 'name' | 'environment' | 'domain'>, by: string): void {
    this.db.run(
      `INSERT INTO endpoints (name, environment, domain, created_ms, created_by) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET domain = excluded.domain`,
      [name, environment, domain, this.now(), by],
    );
  }

  removeEndpoint(name: string): void {
    this.db.run('DELETE FROM endpoints WHERE name = ?', [name]);
  }
}

function toRelease(row: ReleaseRow): Release {
  const optional = {
    submittedMs: row.submitted_ms,
    decidedMs: row.decided_ms,
    decidedBy: row.decided_by,
    stage: row.stage === null ? null : (JSON.parse(row.stage) as Stage),
    liveMs: row.live_ms,
    endedMs: row.ended_ms,
    warmUntilMs: row.warm_until_ms,
    watchUntilMs: row.watch_until_ms,
    replaced: row.replaced,
  };
  return {
    id: row.id,
    state: row.state,
    reason: row.reason,
    request: JSON.parse(row.request) as ReleaseRequest,
    requester: { id: row.requester_id, name: row.requester },
    revision: row.revision,
    createdMs: row.created_ms,
    changedMs: row.changed_ms,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)) as Partial<Release>),
  };
}

function toEvent({ id, release, at_ms, kind, actor_id, actor, text, data }: EventRow): ReleaseEvent {
  return {
    id,
    release,
    atMs: at_ms,
    kind,
    actor: { id: actor_id, name: actor },
    text,
    data: JSON.parse(data) as Record<string, unknown>,
  };
}
