// Every route of a whole appliance × every kind of caller: who may is what the table of roles says, and a refusal tells
// nothing.
import type { Database } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';

import { type Access, openAccess } from '../../../src/access/access.ts';
import { type Action, actions, keyActions, type Role, roleMay, userRoles } from '../../../src/access/roles.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { password } from '../../access/opened.ts';
import { startAppliance } from './appliance.ts';

const openNetwork = '10.9.0.0/16';

/** The first that fits. */
const protocol: [RegExp, Action | 'public'][] = [
  [/^\/v2($|\/health)/, 'public'],
  [/^\/v2\/models\/stats$/, 'metrics.read'],
  [/^\/v2\/repository\/index$/, 'model.read'],
  [/^\/v2\/repository\/models\//, 'model.load'],
  [/^\/v2\/models\/.*\/infer$/, 'model.predict'],
  [/^\/v2\/models\//, 'model.describe'],
];

interface Route {
  method: string;
  path: string;
  action: Action | 'public' | undefined;
  /** Whether it is about the model in its path. */
  hasModel: boolean;
}

interface Caller {
  title: string;
  /** undefined: nobody. */
  role: Role | undefined;
  /** A key for another model than the path names. */
  isForeign?: boolean;
  headers: () => Record<string, string>;
}

let appliance: Awaited<ReturnType<typeof startAppliance>>;
let db: Database;
let access: Access;
let routes: Route[];
let callers: Caller[];
let secrets: string[];
const names: string[] = [];

beforeAll(async () => {
  appliance = await startAppliance({ openTo: openNetwork, trustedProxies: '127.0.0.0/8' });
  // The server's own database: what is made here holds there.
  db = openDatabase(join(appliance.data, 'aimass.db'));
  access = openAccess(db);
  routes = await listRoutes();
  callers = await makeCallers();
});

afterAll(async () => {
  access.close();
  db.close();
  await appliance[Symbol.asyncDispose]();
});

async function listRoutes(): Promise<Route[]> {
  type Paths = Record<string, Record<string, { 'x-action'?: Action | 'public' }>>;
  const { paths } = (await appliance.ask<{ paths: Paths }>('GET', '/openapi.json')).body;
  const plain: Record<string, Action | 'public'> = { '/healthz': 'public', '/metrics': 'metrics.read' };
  return Object.entries(paths).flatMap(([template, operations]) => {
    const path = template.replace('{version}', '1').replaceAll(/\{\w+\}/g, 'absent');
    return Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      action: operation['x-action'] ?? plain[path] ?? protocol.find(([pattern]) => pattern.test(path))?.[1],
      hasModel: /\{(name|endpoint)\}/.test(template),
    }));
  });
}

async function makeCallers(): Promise<Caller[]> {
  const { users, setup, sessions, formTokens, keys } = access;
  const admin = await setup.complete(setup.issueToken(), { name: 'Zebulon', password });
  const people = await Promise.all(
    userRoles
      .slice(1)
      .map((role, i) => users.create({ name: ['Yevgenia', 'Xiomara', 'Wenceslas'][i]!, role, password }, '')),
  );
  names.push(...[admin, ...people].map(({ name }) => name));
  const makeKey = (models: string[] | '*', action: (typeof keyActions)[number]) =>
    keys.create(
      {
        name: 'app',
        scope: { models, actions: [action] },
        expiresMs: null,
        ratePerSecond: null,
        burst: null,
        dailyQuota: null,
      },
      admin.id,
      '',
    ).text;
  const visitor = { address: '127.0.0.1', agent: '', way: 'password' as const };
  const ofUsers = [admin, ...people].map(({ id, role }): Caller => ({
    title: role,
    role,
    // A new one each time: some of the routes end it.
    headers() {
      const { token, session } = sessions.create(id, visitor);
      return { cookie: `aimass_session=${token}`, 'x-csrf-token': formTokens.issue(session.id) };
    },
  }));
  const ofKeys = keyActions.flatMap((action): Caller[] => {
    const [all, foreign] = [makeKey('*', action), makeKey(['another'], action)];
    secrets = [...(secrets ?? []), all, foreign];
    const role = `key:${action}` as const;
    return [
      { title: `key to ${action}`, role, headers: () => ({ 'x-api-key': all }) },
      {
        title: `key to ${action} another`,
        role,
        isForeign: true,
        headers: () => ({ authorization: `Bearer ${foreign}` }),
      },
    ];
  });
  secrets.push(...[admin, ...people].map(({ id }) => users.findPasswordHash(id)!));
  return [
    ...ofUsers,
    ...ofKeys,
    { title: 'guest', role: 'guest', headers: () => ({ 'x-forwarded-for': '10.9.1.1' }) },
    { title: 'nobody', role: undefined, headers: () => ({ 'x-forwarded-for': '10.8.1.1' }) },
  ];
}

function may({ role, isForeign }: Caller, { action, hasModel }: Route): boolean {
  if (action === 'public') return true;
  if (action === undefined || role === undefined || !roleMay(role, action)) return false;
  return !isForeign || (action === 'model.list' && !hasModel);
}

async function call({ method, path }: Route, headers: Record<string, string>) {
  const hasBody = method !== 'GET' && method !== 'DELETE';
  const response = await fetch(appliance.url + path, {
    method,
    headers: { ...headers, ...(hasBody && { 'content-type': 'application/json' }) },
    ...(hasBody && { body: '{}' }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

test('every route says what it needs, and few need nothing', () => {
  expect(routes.length).toBeGreaterThan(70);
  const unclassified = routes.filter(({ action }) => action !== 'public' && !actions.includes(action!));
  expect(unclassified).toEqual([]);
  const open = routes.filter(({ action }) => action === 'public').map(({ method, path }) => `${method} ${path}`);
  expect(open.sort()).toEqual([
    'GET /api/v1/session',
    'GET /api/v1/setup',
    'GET /healthz',
    'GET /v2',
    'GET /v2/health/live',
    'GET /v2/health/ready',
    'POST /api/v1/password-reset',
    'POST /api/v1/session',
    'POST /api/v1/setup',
  ]);
});

test('who may is what the table says, and a refusal tells nothing', async () => {
  const wrong: string[] = [];
  for (const route of routes) {
    for (const caller of callers) {
      const { status, headers, text } = await call(route, caller.headers());
      const what = `${caller.title}: ${route.method} ${route.path} ${status} ${text.slice(0, 200)}`;
      const isRefused = status === 401 || status === 403;
      if (isRefused === may(caller, route)) wrong.push(what);
      if (!isRefused) {
        if (status >= 500) wrong.push(what);
        continue;
      }
      if (status !== (caller.role ? 403 : 401)) wrong.push(what);
      const all = text + JSON.stringify([...headers]);
      const told = [...names, ...secrets, '$argon2', 'token='].filter((secret) => all.includes(secret));
      if (told.length > 0 || !text.includes('error')) wrong.push(`${what}: tells ${told.join()}`);
    }
  }
  expect(wrong).toEqual([]);
}, 120_000);

test('with a key that is not valid nothing is open that asks who comes', async () => {
  const { text } = access.keys.rotate(access.keys.list()[0]!.id, 0);
  access.keys.revoke(access.keys.list()[0]!.id, '');
  const made = `am_${'0'.repeat(12)}_${'0'.repeat(43)}`;
  for (const route of routes.filter(({ action }) => action !== 'public')) {
    for (const key of [made, 'am_', text]) {
      expect(await call(route, { 'x-api-key': key })).toMatchObject({ status: 401 });
    }
  }
});

test('a cookie without its form token changes nothing', async () => {
  const [administrator] = callers;
  const changing = routes.filter(({ method, path }) => method !== 'GET' && path.startsWith('/api/'));
  expect(changing.length).toBeGreaterThan(20);
  for (const route of changing) {
    const { cookie } = administrator!.headers() as { cookie: string };
    expect(await call(route, { cookie })).toMatchObject({ status: 403 });
  }
});
