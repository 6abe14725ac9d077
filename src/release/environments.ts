// Environments: staging and production, with what each allows; and their rows. Whoever may change them is asked above.
import type { Database } from 'bun:sqlite';

import { userRoles } from '../access/roles.ts';
import { AppError } from '../error.ts';
import { Field } from '../registry/fields.ts';
import { checkCron } from './calendar.ts';
import { nullOr, readDevices } from './request.ts';
import {
  defaultEnvironments,
  type Environment,
  type EnvironmentName,
  environmentNames,
  type EnvironmentSettings,
  type Freeze,
  type GuardLimits,
  type Policy,
} from './types.ts';

const day = 86_400_000;
const keys = Object.keys(defaultEnvironments.staging) as (keyof EnvironmentSettings)[];

/** @throws AppError invalid, beginning with the field's name */
export function parseEnvironment(value: unknown, base: EnvironmentSettings): EnvironmentSettings {
  const fields = new Field(value, 'environment', true).object(keys);
  const count = nullOr((field) => field.integer(0, 1_000_000));
  return {
    deviceIds: fields.deviceIds.or(base.deviceIds, nullOr(readDevices)),
    maxInstances: fields.maxInstances.or(base.maxInstances, count),
    maxEndpoints: fields.maxEndpoints.or(base.maxEndpoints, count),
    requesters: fields.requesters.or(base.requesters, (field) => field.list(4, (item) => item.oneOf(userRoles))),
    needsReview: fields.needsReview.or(base.needsReview, (field) => field.flag()),
    fourEyes: fields.fourEyes.or(base.fourEyes, (field) => field.flag()),
    policy: fields.policy.or(base.policy, (field) => readPolicy(field, base.policy)),
    keepWarmMs: fields.keepWarmMs.or(base.keepWarmMs, (field) => field.integer(0, 30 * day)),
    watchMs: fields.watchMs.or(base.watchMs, (field) => field.integer(0, 30 * day)),
    guard: fields.guard.or(base.guard, (field) => readGuard(field, base.guard)),
    freezes: fields.freezes.or(base.freezes, (field) => field.list(50, readFreeze)),
  };
}

function readPolicy(field: Field, base: Policy): Policy {
  const { smoke, maxP95Ms, evaluation, loadTest, licence } = field.object([
    'smoke',
    'maxP95Ms',
    'evaluation',
    'loadTest',
    'licence',
  ]);
  return {
    smoke: smoke.or(base.smoke, (each) => each.flag()),
    maxP95Ms: maxP95Ms.or(base.maxP95Ms, (each) => (each.value === null ? null : each.number(0.001, day))),
    evaluation: evaluation.or(base.evaluation, (each) => each.flag()),
    loadTest: loadTest.or(base.loadTest, (each) => each.flag()),
    licence: licence.or(base.licence, (each) => each.flag()),
  };
}

const guardRanges: Record<keyof GuardLimits, [least: number, most: number]> = {
  latencyFactor: [1, 100],
  latencyFloorMs: [0, 600_000],
  errorMargin: [0, 1],
  nonFiniteMargin: [0, 1],
  crashes: [0, 1000],
  disagreement: [0, 1],
  minRequests: [1, 1_000_000],
};

function readGuard(field: Field, base: GuardLimits): GuardLimits {
  const names = Object.keys(guardRanges) as (keyof GuardLimits)[];
  const fields = field.object(names);
  const read = (name: keyof GuardLimits) => {
    const [least, most] = guardRanges[name];
    const isWhole = name === 'crashes' || name === 'minRequests';
    return fields[name].or(base[name], (each) => (isWhole ? each.integer(least, most) : each.number(least, most)));
  };
  return Object.fromEntries(names.map((name) => [name, read(name)])) as unknown as GuardLimits;
}

function readFreeze(field: Field): Freeze {
  const { name, cron, durationMs, timeZone } = field.object(['name', 'cron', 'durationMs', 'timeZone']);
  const freeze: Freeze = {
    name: name.text(100),
    cron: cron.text(100),
    durationMs: durationMs.integer(60_000, 366 * day),
    ...(timeZone.isPresent && { timeZone: timeZone.text(64) }),
  };
  const problem = checkCron(freeze);
  return problem === undefined ? freeze : cron.fail(problem, "Five fields, such as '0 18 * * 5' for Fridays at six.");
}

interface Row {
  name: EnvironmentName;
  settings: string;
  revision: number;
  changed_ms: number;
  changed_by: string;
}

export class Environments {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  list(): Environment[] {
    return environmentNames.map((name) => this.get(name));
  }

  get(name: EnvironmentName): Environment {
    const row = this.db.query<Row, [string]>('SELECT * FROM environments WHERE name = ?').get(name);
    const fallback = defaultEnvironments[name];
    if (!fallback) throw new AppError('not_found', `There is no environment '${(name as string).slice(0, 40)}'.`);
    if (!row) return { name, settings: fallback, revision: 0, changedMs: 0, changedBy: '' };
    // The defaults stand for settings that are newer than the row.
    const settings = { ...fallback, ...(JSON.parse(row.settings) as EnvironmentSettings) };
    return { name, settings, revision: row.revision, changedMs: row.changed_ms, changedBy: row.changed_by };
  }

  /** @throws AppError conflict when it was changed since `revision` */
  set(name: EnvironmentName, patch: unknown, by: string, revision?: number): Environment {
    const before = this.get(name);
    if (revision !== undefined && revision !== before.revision) {
      throw new AppError(
        'conflict',
        `${before.changedBy} has changed this environment meanwhile.`,
        'Look at it again and repeat your change.',
      );
    }
    const settings = parseEnvironment(patch, before.settings);
    this.db.run('INSERT OR REPLACE INTO environments VALUES (?, ?, ?, ?, ?)', [
      name,
      JSON.stringify(settings),
      before.revision + 1,
      this.now(),
      by,
    ]);
    return this.get(name);
  }

  /** Rows, so that endpoints can refer to them. */
  seed(): void {
    for (const name of environmentNames) {
      this.db.run("INSERT OR IGNORE INTO environments VALUES (?, '{}', 0, ?, '')", [name, this.now()]);
    }
  }
}
