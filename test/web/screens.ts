// Every screen with sample data, by name: for tests and screenshots only.
import type { Html } from '../../web/html.ts';
import { resetScreen, sessionsScreen } from '../../web/screens/account.ts';
import { auditScreen, signInsScreen } from '../../web/screens/audit.ts';
import { errorScreen, passwordScreen, setupScreen, signInScreen } from '../../web/screens/entry.ts';
import { keyFormScreen, keyShownScreen, keysScreen } from '../../web/screens/keys.ts';
import { aboutScreen, settingsScreen } from '../../web/screens/system.ts';
import { userFormScreen, userLinkScreen, usersScreen } from '../../web/screens/users.ts';
import type { Frame, KeyRow, SessionRow, UserRow } from '../../web/view-types.ts';
import { machineScreens } from './machine-screens.ts';
import { notifyScreens } from './notify-screens.ts';
import { releaseScreens } from './release-screens.ts';
import { nowMs } from './samples.ts';

const hour = 3_600_000;
const blank = { values: {}, errors: {} };

/** @param text put wherever a person could have entered something */
export function sampleScreens(text: string): Record<string, (frame: Frame) => Html> {
  const users: UserRow[] = [
    { id: 'u1', name: 'li.wei', role: 'administrator', state: 'enabled', lastSeenMs: nowMs - 40_000, createdMs: 0 },
    { id: 'u2', name: text, role: 'owner', state: 'locked', lastSeenMs: nowMs - 3 * hour, createdMs: 0 },
    { id: 'u3', name: 'zhang.min', role: 'reviewer', state: 'mustChange', createdMs: nowMs - 90 * hour },
    { id: 'u5', name: 'new', role: 'viewer', state: 'invited', createdMs: nowMs },
    { id: 'u4', name: 'guest', role: 'viewer', state: 'disabled', createdMs: nowMs - 900 * hour },
  ];
  const page = { number: 1, size: 4, total: 9 };
  const wrong = { values: { name: text }, errors: { '': text, name: text } };
  return {
    ...machineScreens(text),
    ...notifyScreens(text),
    ...releaseScreens(text),
    setup: (frame) => setupScreen(frame, { token: text, form: wrong }),
    'setup-link': (frame) => setupScreen(frame, { token: '', form: blank, spent: true }),
    'setup-spent': (frame) => setupScreen(frame, { token: text, form: blank, spent: true }),
    'sign-in': (frame) =>
      signInScreen(frame, {
        host: text,
        form: wrong,
        next: text,
        providers: [{ name: text, href: '/sign-in/oidc' }],
        sessionEnded: true,
      }),
    password: (frame) => passwordScreen(frame, { form: blank, must: true }),
    error: (frame) => errorScreen(frame, { code: 'conflict', message: text, hint: text, requestId: text }),
    users: (frame) => usersScreen(frame, { users, search: text, page }),
    'user-new': (frame) => userFormScreen(frame, { form: wrong, sessions: [] }),
    user: (frame) =>
      userFormScreen(frame, {
        user: { ...users[1]!, revision: 3 },
        form: blank,
        stale: { who: text, atMs: nowMs - 60_000 },
        sessions: sampleSessions(text),
      }),
    'user-link': (frame) =>
      userLinkScreen(frame, { userId: text, name: text, link: `http://host/reset?token=${text}`, untilMs: nowMs }),
    reset: (frame) => resetScreen(frame, { token: text, name: text, form: wrong }),
    'reset-spent': (frame) => resetScreen(frame, { token: text, form: blank }),
    sessions: (frame) => sessionsScreen(frame, sampleSessions(text)),
    keys: (frame) => keysScreen(frame, { keys: sampleKeys(text), search: '', page, overlapsHours: [0, 24] }),
    'keys-none': (frame) =>
      keysScreen(frame, { keys: [], search: '', page: { number: 1, size: 20, total: 0 }, overlapsHours: [0] }),
    'key-new': (frame) => keyFormScreen(frame, { form: wrong, actions: ['predict', 'read'] }),
    key: (frame) =>
      keyFormScreen(frame, {
        form: { values: { name: text, 'actions.read': 'on' }, errors: { owner: text } },
        actions: ['predict', 'read'],
        key: sampleKeys(text)[0],
        owners: [{ id: 'u3', name: text }],
      }),
    'key-shown': (frame) =>
      keyShownScreen(frame, { name: text, secret: 'am_k1_Jx0TnUMVZ2kq', example: `curl -H 'X-API-Key: …' ${text}` }),
    audit: (frame) =>
      auditScreen(frame, {
        rows: (['ok', 'refused', 'failed'] as const).map((result, i) => ({
          number: 1204 - i,
          atMs: nowMs - i * hour,
          who: text,
          action: 'user.update',
          target: text,
          result,
          from: '10.0.0.7',
          ...(i === 0 && { before: `{"role":"viewer","name":"${text}"}`, after: '{"role":"owner"}' }),
        })),
        filter: { actor: text, action: '', target: text, since: '2026-01-01', until: '' },
        before: 1202,
        isFirstPage: false,
        chain: { isIntact: false, brokenAt: 17 },
      }),
    'sign-ins': (frame) =>
      signInsScreen(frame, {
        rows: (['ok', 'refused', 'locked', 'disabled', 'no-role'] as const).map((result, i) => ({
          atMs: nowMs - i * hour,
          name: text,
          way: i % 2 === 0 ? 'password' : 'oidc',
          result,
          from: '10.0.0.7',
          attempts: result === 'locked' ? 12 : 1,
        })),
        name: text,
        before: 40,
        isFirstPage: true,
      }),
    settings: (frame) =>
      settingsScreen(frame, {
        search: '',
        settings: [
          { name: 'listen', value: text, defaultValue: '127.0.0.1:8700', source: 'flag', help: 'Address and port.' },
          { name: 'cuda-path', value: '', defaultValue: '', source: 'default', help: 'Where CUDA’s libraries are.' },
        ],
      }),
    about: (frame) =>
      aboutScreen(frame, {
        facts: [
          { label: 'AI Mass', value: '0.2.0' },
          { label: 'ONNX Runtime', value: '1.29.0' },
        ],
        parts: [
          { name: 'htmx', version: '4.0.1', licence: '0BSD', href: '/admin/about/licences/htmx' },
          { name: 'uPlot', version: '1.6.32', licence: 'MIT' },
        ],
      }),
  };
}

function sampleSessions(text: string): SessionRow[] {
  return [1, 2].map((i) => ({
    id: `s${i}`,
    from: `10.0.0.${i}`,
    agent: text,
    sinceMs: nowMs - i * hour,
    lastSeenMs: nowMs - i * 60_000,
    isThis: i === 1,
  }));
}

function sampleKeys(text: string): KeyRow[] {
  return [
    {
      id: 'k1',
      name: text,
      owner: 'li.wei',
      models: ['faces', 'credit'],
      actions: ['predict', 'read'],
      state: 'active',
      ratePerSecond: 50,
      dailyQuota: 100_000,
      usedToday: 1234,
      lastUsedMs: nowMs - 12_000,
    },
    {
      id: 'k2',
      name: 'line 3 camera',
      owner: text,
      models: '*',
      actions: ['predict'],
      state: 'expiring',
      expiresMs: nowMs,
      usedToday: 0,
      previousUntilMs: nowMs + 20 * hour,
    },
    { id: 'k3', name: 'old', owner: 'zhang.min', models: '*', actions: ['load'], state: 'revoked', usedToday: 0 },
  ];
}
