// Commands about people: who may sign in, as what, the links with which they choose a password, and the link that makes
// the first administrator. Passwords are never typed here.
import { userRoles } from '../access/roles.ts';
import type { UserRecord } from '../access/user-record.ts';
import { AppError } from '../error.ts';
import { filled, oneOf } from '../setting-text.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { isSure, readOption, requireOption, runVerb, type Verb } from './reading.ts';
import { type Column, formatTime, renderTable } from './text.ts';

const readRole = oneOf(userRoles);

const verbs: Record<string, Verb> = {
  list: { takes: [], run: list },
  add: { takes: ['role', 'email'], operand: 'NAME', run: add },
  set: { takes: ['role', 'email'], operand: 'NAME', run: set },
  disable: { takes: [], operand: 'NAME', run: (invocation, name) => setDisabled(invocation, name, true) },
  enable: { takes: [], operand: 'NAME', run: (invocation, name) => setDisabled(invocation, name, false) },
  remove: { takes: ['yes'], operand: 'NAME', run: remove },
  reset: { takes: [], operand: 'NAME', run: reset },
  unlock: { takes: [], operand: 'NAME', run: unlock },
};

export function users(invocation: Invocation): Promise<number | void> {
  return runVerb(invocation, verbs, 'list');
}

export async function showSetupLink(invocation: Invocation): Promise<void> {
  const { path } = await invocation.client().post<{ path: string }>('/api/v1/setup/link');
  const url = await urlOf(invocation, path);
  await invocation.report.answer({ url }, () => url);
}

/** As the server answers. */
interface UserAnswer extends Omit<UserRecord, 'createdMs' | 'signedInMs' | 'changedMs'> {
  createdAt: string;
  signedInAt: string | null;
  changedAt: string;
}

interface Link {
  path: string;
  expiresAt: string;
}

async function list({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ users: UserAnswer[] }>('/api/v1/users');
  const columns: Column<UserAnswer>[] = [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ROLE', cell: ({ role }) => role },
    { title: 'STATE', cell: describeState },
    { title: 'MAIL', cell: ({ email }) => email ?? 'none' },
    { title: 'SIGNED IN', cell: ({ signedInAt }) => (signedInAt === null ? 'never' : formatTime(signedInAt)) },
    {
      title: 'LAST CHANGE',
      cell: ({ changedAt, changedBy, changedWhat }) => `${formatTime(changedAt)} ${changedWhat}, by ${changedBy}`,
    },
  ];
  await report.answer(answer, () =>
    answer.users.length > 0
      ? renderTable(columns, answer.users, report.terminal.width)
      : "There is nobody yet. 'aimass setup-link' shows the link that makes the first administrator.",
  );
}

function describeState({ isDisabled, hasPassword, isLinked, mustChangePassword }: UserAnswer): string {
  if (isDisabled) return 'disabled';
  if (mustChangePassword) return 'must change the password';
  return hasPassword || isLinked ? 'enabled' : 'has no password yet';
}

async function add(invocation: Invocation, name: string): Promise<void> {
  const role = requireOption(invocation, 'role', readRole);
  const email = readOption(invocation, 'email', filled);
  const body = { name, role, ...(email !== undefined && { email }) };
  const answer = await invocation.client().post<{ user: UserAnswer; link: Link }>('/api/v1/users', body);
  const link = await linkOf(invocation, answer.link);
  await invocation.report.answer({ user: answer.user, link }, () =>
    [`${answer.user.name} is added as ${role}.`, describeLink(link)].join('\n'),
  );
}

/** One at a time, as the server takes changes. */
async function set(invocation: Invocation, name: string): Promise<void> {
  const { options } = invocation;
  if (!options.has('role') && !options.has('email')) throw new UsageError('--role or --email is missing.');
  if (options.has('role') && options.has('email')) throw new UsageError('Set --role and --email one after the other.');
  if (options.has('role')) {
    const role = requireOption(invocation, 'role', readRole);
    return await change(invocation, name, { role }, (user) => `${user.name} is ${role} now.`);
  }
  const text = requireOption(invocation, 'email', filled);
  const email = text === 'none' ? '' : text;
  return await change(invocation, name, { email }, (user) =>
    user.email === null ? `${user.name} has no mail address now.` : `Mail for ${user.name} goes to ${user.email}.`,
  );
}

async function setDisabled(invocation: Invocation, name: string, isDisabled: boolean): Promise<void> {
  await change(invocation, name, { isDisabled }, (user) =>
    isDisabled ? `${user.name} is disabled: all sessions have ended.` : `${user.name} is enabled.`,
  );
}

async function change(
  invocation: Invocation,
  name: string,
  patch: object,
  describe: (user: UserAnswer) => string,
): Promise<void> {
  const client = invocation.client();
  const { id, revision } = await getUser(invocation, name);
  const call = { method: 'PATCH', ...json({ revision, ...patch }) };
  const user = await client.read<UserAnswer>(await client.send(pathOf(id), call));
  await invocation.report.answer(user, () => describe(user));
}

async function remove(invocation: Invocation, typed: string): Promise<number> {
  const { id, name, role } = await getUser(invocation, typed);
  if (!(await isSure(invocation, `Remove the ${role} ${name} for good?`))) return 1;
  await invocation.client().remove(pathOf(id));
  await invocation.report.answer({ removed: name }, () => `${name} is removed.`);
  return 0;
}

async function reset(invocation: Invocation, name: string): Promise<void> {
  const { id } = await getUser(invocation, name);
  const link = await linkOf(invocation, await invocation.client().post<Link>(`${pathOf(id)}/reset`));
  await invocation.report.answer(link, () => describeLink(link));
}

async function unlock(invocation: Invocation, typed: string): Promise<void> {
  const { id, name } = await getUser(invocation, typed);
  await invocation.client().send(`${pathOf(id)}/unlock`, { method: 'POST' });
  await invocation.report.answer({ unlocked: name }, () => `${name} need not wait any longer.`);
}

/** @param typed a name in any case. @throws AppError not_found */
export async function getUser({ client }: Invocation, typed: string): Promise<UserAnswer> {
  const { users } = await client().get<{ users: UserAnswer[] }>('/api/v1/users');
  const fold = (name: string) => name.normalize('NFKC').trim().toLowerCase();
  const user = users.find(({ name }) => fold(name) === fold(typed));
  if (user) return user;
  throw new AppError('not_found', `There is no user '${typed.slice(0, 80)}'.`, "'aimass users' lists them.");
}

const pathOf = (id: string) => `/api/v1/users/${encodeURIComponent(id)}`;

async function linkOf(invocation: Invocation, { path, expiresAt }: Link) {
  return { url: await urlOf(invocation, path), expiresAt };
}

/** As other machines reach it. */
async function urlOf({ settings, client }: Invocation, path: string): Promise<string> {
  const { server, publicUrl } = settings().config;
  return (server || publicUrl || (await client().get<{ listen: string }>('/api/v1')).listen) + path;
}

function describeLink({ url, expiresAt }: { url: string; expiresAt: string }): string {
  return `Until ${formatTime(expiresAt)} this link lets its user choose a password, once:\n${url}`;
}
