import { parseNetworks } from '../../../src/access/networks.ts';
import type { UserRole } from '../../../src/access/roles.ts';
import type { UserRecord } from '../../../src/access/user-record.ts';
import type { Control } from '../../../src/http/api/control.ts';
import { createApi } from '../../../src/http/api/routes.ts';
import { type Asker, Gate } from '../../../src/http/gate.ts';
import { createDocument } from '../../../src/http/openapi.ts';
// The API of access without models and processes: the real room on a database of its own, the real gate and routes, on a
// clock that stands still until it is moved.
import { setLogLevel } from '../../../src/log.ts';
import { type Opened, openTemporary, password } from '../../access/opened.ts';
import { complaints } from '../../support/json-schema.ts';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Failure {
  error: { code: string; message: string; hint?: string };
}

export interface Opening {
  user: { id: string; name: string };
  csrfToken: string;
  mustChangePassword: boolean;
}

export const address = '10.0.0.7';
export const system: Asker = { actor: { kind: 'system', name: 'socket' }, address: 'socket', isSecure: true };

/** A browser, or a program with a key: what it sends with each request. */
export type Sender = Record<string, string>;

/** @param given what else the appliance can do */
export function serveAccess(access: Omit<Opened, 'admin'>, given: Partial<Control> = {}) {
  setLogLevel('error');
  const networks = parseNetworks([]);
  const gate = new Gate({ access, openTo: networks, trustedProxies: networks });
  const api = createApi(
    {
      control: { access, ...given } as Control,
      limits: { maxBodyBytes: 1e6, maxJsonBytes: 1e6, maxInflatedBytes: 1e6 },
      requestId: () => 'r-1',
      keepOpen: () => {},
      hold: (work) => work,
    },
    access.audit,
  );
  const document = createDocument(api.routes, '1');

  /** @param sender headers, or who it is */
  async function ask<T = Failure>(sender: Sender | Asker, method: string, path: string, body?: unknown) {
    const isKnown = 'actor' in sender;
    const request = new Request(`http://box.lan${path}`, {
      method,
      headers: { ...(!isKnown && sender), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const peer = { address, isSecure: false };
    const asker = isKnown ? (sender as Asker) : gate.identify(request, peer, new URL(request.url).pathname);
    const response = await api.fetch(request, asker);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }

  return {
    ...access,
    api,
    document,
    ask,
    asSystem: <T = Failure>(method: string, path: string, body?: unknown) => ask<T>(system, method, path, body),
    /** A user with a session and its form token. */
    signedIn(user: UserRecord): Sender {
      const visitor = { address, agent: 'Firefox', way: 'password' as const };
      const { token, session } = access.sessions.create(user.id, visitor);
      return { cookie: `aimass_session=${token}`, 'x-csrf-token': access.formTokens.issue(session.id) };
    },
    addUser: (name: string, role: UserRole) => access.users.create({ name, role, password }, 'test'),
    /** What of an answer is not as the document describes it. */
    complain: (value: unknown, schema: string) =>
      complaints(document, value, { $ref: `#/components/schemas/${schema}` }),
    [Symbol.dispose]() {
      access.close();
      access.db.close();
    },
  };
}

export type AccessApi = ReturnType<typeof serveAccess>;

export async function openAccessApi(given: Partial<Control> = {}) {
  const opened = await openTemporary();
  const served = serveAccess(opened, given);
  return { ...served, admin: opened.admin, adminBrowser: served.signedIn(opened.admin) };
}

/** The cookie that an answer sets, as a browser sends it back. */
export function cookieOf({ headers }: { headers: Headers }): string {
  return headers.get('set-cookie')?.split(';')[0] ?? '';
}

export const browserOf = (answer: Answer<Opening>): Sender => ({
  cookie: cookieOf(answer),
  'x-csrf-token': answer.body.csrfToken,
});
