// Commands about API keys: list, make, change, rotate, revoke. A key is printed once, when it is made or rotated.
import type { KeyRecord } from '../access/keys.ts';
import { keyActions } from '../access/roles.ts';
import { AppError } from '../error.ts';
import { duration, filled, oneOf, whole } from '../setting-text.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { isSure, readOption, requireOption, runVerb, type Verb } from './reading.ts';
import { type Column, formatCount, formatTime, renderTable } from './text.ts';
import { getUser } from './users.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

const verbs: Record<string, Verb> = {
  list: { takes: [], run: list },
  add: {
    takes: ['owner', 'models', 'allow', 'expires', 'rate', 'burst', 'quota'],
    operand: 'NAME',
    run: add,
  },
  set: {
    takes: ['name', 'owner', 'models', 'allow', 'expires', 'rate', 'burst', 'quota'],
    operand: 'ID',
    run: set,
  },
  rotate: { takes: ['overlap'], operand: 'ID', run: rotate },
  revoke: { takes: ['yes'], operand: 'ID', run: revoke },
};

export function keys(invocation: Invocation): Promise<number | void> {
  return runVerb(invocation, verbs, 'list');
}

/** As the server answers, as far as it is read here. */
type KeyAnswer = Pick<KeyRecord, 'id' | 'name' | 'ownerName' | 'scope' | 'dailyQuota' | 'usedToday'> &
  Record<'expiresAt' | 'lastUsedAt' | 'previousUntil' | 'revokedAt', string | null>;

interface NewKey {
  text: string;
  key: KeyAnswer;
}

async function list({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ keys: KeyAnswer[] }>('/api/v1/keys');
  const columns: Column<KeyAnswer>[] = [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'OWNER', cell: ({ ownerName }) => ownerName },
    { title: 'MODELS', cell: ({ scope }) => (scope.models === '*' ? 'all' : scope.models.join(', ')) },
    { title: 'MAY', cell: ({ scope }) => scope.actions.join(', ') },
    { title: 'STATE', cell: describeState },
    { title: 'LAST USED', cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : formatTime(lastUsedAt)) },
    { title: 'TODAY', cell: describeUse, isRight: true },
  ];
  await report.answer(answer, () =>
    answer.keys.length > 0 ? renderTable(columns, answer.keys, report.terminal.width) : 'There are no API keys.',
  );
}

function describeState({ revokedAt, expiresAt }: KeyAnswer): string {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt === null) return 'valid';
  return Date.parse(expiresAt) > Date.now() ? `until ${formatTime(expiresAt)}` : 'expired';
}

function describeUse({ usedToday, dailyQuota }: KeyAnswer): string {
  return dailyQuota === null ? formatCount(usedToday) : `${formatCount(usedToday)} of ${formatCount(dailyQuota)}`;
}

async function add(invocation: Invocation, name: string): Promise<void> {
  const owner = requireOption(invocation, 'owner', filled);
  const lifeMs = readOption(invocation, 'expires', readLife);
  const settings = {
    name,
    scope: {
      models: readOption(invocation, 'models', (text) => text.split(',')) ?? '*',
      actions: readOption(invocation, 'allow', readActions) ?? ['predict'],
    },
    expiresAt: lifeMs === undefined ? null : new Date(Date.now() + lifeMs).toISOString(),
    ratePerSecond: readOption(invocation, 'rate', readRate) ?? null,
    burst: readOption(invocation, 'burst', whole(1, 1_000_000)) ?? null,
    dailyQuota: readOption(invocation, 'quota', whole(1, 1e12)) ?? null,
  };
  const { id } = await getUser(invocation, owner);
  const made = await invocation.client().post<NewKey>('/api/v1/keys', { ...settings, owner: id });
  await showOnce(invocation, made, `The key '${made.key.name}' is made.`);
}

/** The owner is given in a request of its own: the server checks everything else against the new one. */
async function set(invocation: Invocation, id: string): Promise<void> {
  const { client, report } = invocation;
  const lifeMs = readOption(invocation, 'expires', orNone(readLife));
  const actions = readOption(invocation, 'allow', readActions);
  const models = readOption(invocation, 'models', (text) => (text === 'all' ? '*' : text.split(',')));
  const owner = readOption(invocation, 'owner', filled);
  const before = await client().get<KeyAnswer>(pathOf(id));
  const patch = {
    name: readOption(invocation, 'name', filled),
    ...((actions || models) && { scope: { ...before.scope, ...(models && { models }), ...(actions && { actions }) } }),
    ...(lifeMs !== undefined && { expiresAt: lifeMs && new Date(Date.now() + lifeMs).toISOString() }),
    ratePerSecond: readOption(invocation, 'rate', orNone(readRate)),
    burst: readOption(invocation, 'burst', orNone(whole(1, 1_000_000))),
    dailyQuota: readOption(invocation, 'quota', orNone(whole(1, 1e12))),
  };
  const patches: object[] = [
    ...(owner === undefined ? [] : [{ owner: (await getUser(invocation, owner)).id }]),
    ...(Object.values(patch).some((value) => value !== undefined) ? [patch] : []),
  ];
  if (patches.length === 0) throw new UsageError('Say what is to change.', "'aimass help keys' lists the options.");
  let after = before;
  for (const body of patches) {
    after = await client().read<KeyAnswer>(await client().send(pathOf(id), { method: 'PATCH', ...json(body) }));
  }
  await report.answer(after, () => `The key '${after.name}' of ${after.ownerName} is changed.`);
}

const orNone =
  <T>(read: (text: string) => T) =>
  (text: string): T | null =>
    text === 'none' ? null : read(text);

async function rotate(invocation: Invocation, id: string): Promise<void> {
  const overlapMs = readOption(invocation, 'overlap', duration(0)) ?? dayMs;
  const body = { overlapHours: overlapMs / hourMs };
  const made = await invocation.client().post<NewKey>(`${pathOf(id)}/rotate`, body);
  const { name, previousUntil } = made.key;
  const end = previousUntil === null ? 'has ended' : `works until ${formatTime(previousUntil)}`;
  await showOnce(invocation, made, `The key '${name}' is new; the old one ${end}.`);
}

async function showOnce({ report }: Invocation, made: NewKey, what: string): Promise<void> {
  await report.answer(made, () => `${what} It is shown this once:\n${made.text}`);
}

async function revoke(invocation: Invocation, id: string): Promise<number> {
  const client = invocation.client();
  const { name, ownerName } = await client.get<KeyAnswer>(pathOf(id));
  if (!(await isSure(invocation, `Revoke the key '${name}' of ${ownerName} for ever?`))) return 1;
  await client.remove(pathOf(id));
  await invocation.report.answer({ revoked: id }, () => `The key '${name}' is revoked.`);
  return 0;
}

const pathOf = (id: string) => `/api/v1/keys/${encodeURIComponent(id)}`;

const readActions = (text: string) => text.split(',').map(oneOf(keyActions));

/** Days, "90d", besides what `duration` knows. @returns milliseconds */
function readLife(text: string): number {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  return days === undefined ? duration(1)(text) : Number(days) * dayMs;
}

function readRate(text: string): number {
  if (/^\d{1,7}(\.\d{1,3})?$/.test(text)) return Number(text);
  throw new AppError('invalid', `'${text.slice(0, 40)}' is not a number of requests a second`);
}
