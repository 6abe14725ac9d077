// The command `environments`: shows and changes what going live needs in staging and in production.
import { type UserRole, userRoles } from '../access/roles.ts';
import { AppError } from '../error.ts';
import type { EnvironmentSettings, Freeze } from '../release/types.ts';
import { duration, oneOf, whole } from '../setting-text.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import type { EnvironmentAnswer } from './release-answers.ts';
import { type Column, formatSeconds, formatTime, renderPairs, renderTable } from './text.ts';

export async function environments(invocation: Invocation): Promise<void> {
  const [name] = invocation.operands;
  const changes = invocation.options.get('set')?.split('\n');
  if (name === undefined) {
    if (changes) throw new UsageError('Which environment is to be changed?', 'Name it: staging or production.');
    return list(invocation);
  }
  const path = `/api/v1/environments/${encodeURIComponent(name)}`;
  const read = changes?.map(readChange) ?? [];
  const client = invocation.client();
  const before = await client.get<EnvironmentAnswer>(path);
  const answer = changes
    ? await client.read<EnvironmentAnswer>(
        await client.send(path, {
          method: 'PATCH',
          ...json({ ...patchOf(before.settings, read), revision: before.revision }),
        }),
      )
    : before;
  const { report } = invocation;
  await report.answer(answer, () => renderEnvironment(answer, report.terminal.width));
}

async function list({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ environments: EnvironmentAnswer[] }>('/api/v1/environments');
  const columns: Column<EnvironmentAnswer>[] = [
    { title: 'ENVIRONMENT', cell: ({ name }) => name },
    { title: 'REVIEW', cell: ({ settings }) => (settings.needsReview ? 'yes' : 'no') },
    { title: 'FOUR EYES', cell: ({ settings }) => (settings.fourEyes ? 'yes' : 'no') },
    { title: 'NEEDS', cell: ({ settings }) => describePolicy(settings) },
    { title: 'MAX INSTANCES', cell: ({ settings }) => String(settings.maxInstances ?? '–'), isRight: true },
    { title: 'FREEZES', cell: ({ settings }) => settings.freezes.map(({ name }) => name).join(', ') || '–' },
  ];
  await report.answer(answer, () => renderTable(columns, answer.environments, report.terminal.width));
}

function describePolicy({ policy: { smoke, evaluation, loadTest, licence, maxP95Ms } }: EnvironmentSettings): string {
  const needed = [
    ...(smoke ? ['smoke'] : []),
    ...(licence ? ['licence'] : []),
    ...(evaluation ? ['evaluation'] : []),
    ...(loadTest ? ['load test'] : []),
    ...(maxP95Ms === null ? [] : [`p95 ≤ ${maxP95Ms} ms`]),
  ];
  return needed.join(', ') || 'nothing';
}

interface Row {
  read: (text: string) => unknown;
  show: (settings: EnvironmentSettings) => string;
  /** Path in the settings. */
  at: [string] | ['policy' | 'guard', string];
}

const none =
  <T>(read: (text: string) => T) =>
  (text: string) =>
    text === 'none' ? null : read(text);
const yesOrNo = (text: string) => oneOf(['yes', 'no'])(text) === 'yes';
const answer = (isTrue: boolean) => (isTrue ? 'yes' : 'no');
const orNone = (value: number | null) => (value === null ? 'none' : String(value));
const milliseconds = (value: number) => (value < 1000 ? `${value} ms` : formatSeconds(value / 1000));
const most = whole(0, 1_000_000);

function readNumber(text: string): number {
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text);
  throw new AppError('invalid', `'${text.slice(0, 40)}' is not a number`);
}

/** Every setting by the name that it has here, in the order in which they are shown. */
const rows: Record<string, Row> = {
  devices: {
    at: ['deviceIds'],
    read: (text) => (text === 'any' ? null : text.split(',')),
    show: ({ deviceIds }) => deviceIds?.join(', ') ?? 'any',
  },
  'max-instances': { at: ['maxInstances'], read: none(most), show: ({ maxInstances }) => orNone(maxInstances) },
  'max-endpoints': { at: ['maxEndpoints'], read: none(most), show: ({ maxEndpoints }) => orNone(maxEndpoints) },
  requesters: {
    at: ['requesters'],
    read: (text): UserRole[] => text.split(',').map(oneOf(userRoles)),
    show: ({ requesters }) => requesters.join(', '),
  },
  'needs-review': { at: ['needsReview'], read: yesOrNo, show: ({ needsReview }) => answer(needsReview) },
  'four-eyes': { at: ['fourEyes'], read: yesOrNo, show: ({ fourEyes }) => answer(fourEyes) },
  'keep-warm': { at: ['keepWarmMs'], read: duration(0), show: ({ keepWarmMs }) => milliseconds(keepWarmMs) },
  watch: { at: ['watchMs'], read: duration(0), show: ({ watchMs }) => milliseconds(watchMs) },
  freezes: {
    at: ['freezes'],
    read: readFreezes,
    show: ({ freezes }) => freezes.map(formatFreeze).join('\n') || 'none',
  },
  'policy.smoke': { at: ['policy', 'smoke'], read: yesOrNo, show: ({ policy }) => answer(policy.smoke) },
  'policy.max-p95': {
    at: ['policy', 'maxP95Ms'],
    read: none(duration(1)),
    show: ({ policy: { maxP95Ms } }) => (maxP95Ms === null ? 'none' : milliseconds(maxP95Ms)),
  },
  'policy.evaluation': { at: ['policy', 'evaluation'], read: yesOrNo, show: ({ policy }) => answer(policy.evaluation) },
  'policy.load-test': { at: ['policy', 'loadTest'], read: yesOrNo, show: ({ policy }) => answer(policy.loadTest) },
  'policy.licence': { at: ['policy', 'licence'], read: yesOrNo, show: ({ policy }) => answer(policy.licence) },
  'guard.latency-factor': {
    at: ['guard', 'latencyFactor'],
    read: readNumber,
    show: ({ guard }) => String(guard.latencyFactor),
  },
  'guard.latency-floor': {
    at: ['guard', 'latencyFloorMs'],
    read: duration(0),
    show: ({ guard }) => milliseconds(guard.latencyFloorMs),
  },
  'guard.error-margin': {
    at: ['guard', 'errorMargin'],
    read: readNumber,
    show: ({ guard }) => String(guard.errorMargin),
  },
  'guard.non-finite-margin': {
    at: ['guard', 'nonFiniteMargin'],
    read: readNumber,
    show: ({ guard }) => String(guard.nonFiniteMargin),
  },
  'guard.crashes': { at: ['guard', 'crashes'], read: most, show: ({ guard }) => String(guard.crashes) },
  'guard.disagreement': {
    at: ['guard', 'disagreement'],
    read: readNumber,
    show: ({ guard }) => String(guard.disagreement),
  },
  'guard.min-requests': { at: ['guard', 'minRequests'], read: most, show: ({ guard }) => String(guard.minRequests) },
};

/** "four-eyes=yes". @throws UsageError */
function readChange(text: string): { at: Row['at']; value: unknown } {
  const equals = text.indexOf('=');
  if (equals < 1) throw new UsageError(`'${text.slice(0, 80)}' is not SETTING=VALUE.`, 'Write it as four-eyes=yes.');
  const key = text.slice(0, equals);
  try {
    const { at, read } = rows[oneOf(Object.keys(rows))(key)]!;
    return { at, value: read(text.slice(equals + 1)) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UsageError(`--set ${key.slice(0, 80)}: ${error.message.replace(/[.?]$/, '')}.`, error.hint);
  }
}

/** Groups are sent whole. */
function patchOf(settings: EnvironmentSettings, changes: readonly { at: Row['at']; value: unknown }[]): object {
  const patch: Record<string, unknown> = {};
  const groups: Record<string, object> = { policy: settings.policy, guard: settings.guard };
  for (const { at, value } of changes) {
    const [group, name] = at;
    if (name === undefined) patch[group] = value;
    else patch[group] = groups[group] = { ...groups[group], [name]: value };
  }
  return patch;
}

function readFreezes(text: string): Freeze[] {
  return text === 'none' ? [] : text.split(';').map(readFreeze);
}

function readFreeze(text: string): Freeze {
  const [name = '', cron, time, timeZone] = text.split('|').map((part) => part.trim());
  if (!cron || !time) {
    throw new AppError(
      'invalid',
      `'${text.slice(0, 80)}' is not NAME|CRON|TIME`,
      "Write it as 'weekend|0 18 * * 5|62h'.",
    );
  }
  return { name, cron, durationMs: duration(1)(time), ...(timeZone && { timeZone }) };
}

function formatFreeze({ name, cron, durationMs, timeZone }: Freeze): string {
  return `${name}: ${cron} for ${formatSeconds(durationMs / 1000)}${timeZone ? `, ${timeZone}` : ''}`;
}

function renderEnvironment({ name, settings, changedAt, changedBy }: EnvironmentAnswer, width?: number): string {
  const pairs = Object.entries(rows).map(([key, { show }]): [string, string] => [key, show(settings)]);
  const changed = changedBy === '' ? [] : ['', `Changed ${formatTime(changedAt)} by ${changedBy}.`];
  return [name, '', renderPairs(pairs, width), ...changed].join('\n');
}
