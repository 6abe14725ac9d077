// A whole appliance that has been set up, and people of every role who are signed in to its pages: cookie, form token
// and all. Pages are met as browsers meet them.
import { join } from 'node:path';

import { openAccess } from '../../../src/access/access.ts';
import type { UserRole } from '../../../src/access/roles.ts';
import type { ApplianceParts } from '../../../src/app.ts';
import type { Config } from '../../../src/config.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { startAppliance } from '../api/appliance.ts';

export const password = 'correct horse battery staple';
export const administratorName = 'ada';

/** What a page answered. */
export interface Shown {
  status: number;
  headers: Headers;
  text: string;
  /** Path and query that it leads to; absent for a page. */
  location?: string;
}

/** One browser: it keeps cookies, does not follow redirections, and sends the form token with what it posts. */
export interface Visitor {
  /** Id of the user; "" for somebody who is not signed in. */
  id: string;
  get(path: string, headers?: Record<string, string>): Promise<Shown>;
  /** As a form sends it, with the token of this session unless the fields have another `csrf`. */
  post(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Shown>;
  /** As a page's script does, with cookie and token. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  cookies: ReadonlyMap<string, string>;
}

export interface SignedIn extends Awaited<ReturnType<typeof startAppliance>> {
  /** Made by the set-up link; signed in. */
  administrator: Visitor;
  /** Makes a user of the role, named after it if not otherwise, and signs in. */
  as(role: UserRole, name?: string): Visitor;
  /** Not signed in. */
  stranger(): Visitor;
}

/** Starts an appliance and completes its set-up as the first administrator does, through the link. */
export async function openSignedIn(settings: Partial<Config> = {}, parts: ApplianceParts = {}): Promise<SignedIn> {
  const appliance = await startAppliance(settings, parts);
  const { url, data } = appliance;
  // A second connection to the same database: people of other roles are made without a page that could be at fault.
  const db = openDatabase(join(data, 'aimass.db'));
  const access = openAccess(db);

  const issue = (cookie: string) => {
    const found = access.sessions.find(cookie);
    return found ? access.formTokens.issue(found.session.id) : '';
  };
  const administrator = createVisitor(url, issue);
  const token = new URL(appliance.setupUrl!).searchParams.get('token')!;
  const name = administratorName;
  const done = await administrator.post('/setup', { token, name, password, again: password });
  if (done.status !== 303) throw new Error(`the set-up was refused: ${done.status} ${done.text}`);
  administrator.id = access.users.findByName(name)!.id;

  return {
    ...appliance,
    administrator,
    stranger: () => createVisitor(url, issue),
    as(role, name = role) {
      const { id } = access.users.findByName(name) ?? access.users.insert({ name, role }, administratorName);
      const { token } = access.sessions.create(id, { address: '127.0.0.1', agent: 'test', way: 'password' });
      const visitor = createVisitor(url, issue, { aimass_session: token });
      visitor.id = id;
      return visitor;
    },
    async [Symbol.asyncDispose]() {
      access.close();
      db.close();
      await appliance[Symbol.asyncDispose]();
    },
  };
}

/** @param issue makes a form token for a session's cookie */
function createVisitor(url: string, issue: (cookie: string) => string, given: Record<string, string> = {}): Visitor {
  const cookies = new Map(Object.entries(given));
  const token = () => issue(cookies.get('aimass_session') ?? '');

  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url + path, { ...init, headers, redirect: 'manual' });
    for (const text of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text)!;
      if (/Max-Age=0/.test(text)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  }

  return {
    id: '',
    cookies,
    get: async (path, headers) => await shownOf(await send(path, { headers })),
    async post(path, fields = {}, headers = {}) {
      const body = new URLSearchParams({ csrf: token(), ...fields });
      return await shownOf(await send(path, { method: 'POST', body, headers }));
    },
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers);
      headers.set('x-csrf-token', token());
      return send(path, { ...init, headers });
    },
  };
}

async function shownOf(response: Response): Promise<Shown> {
  const { status, headers } = response;
  const location = headers.get('location') ?? undefined;
  return { status, headers, text: await response.text(), ...(location !== undefined && { location }) };
}
