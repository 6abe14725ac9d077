import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { type Actor, mayDo, requireAction } from '../../src/access/actor.ts';
import {
  type Action,
  actions,
  findRoleOfGroups,
  keyActions,
  mayGrant,
  roleMay,
  userRoles,
} from '../../src/access/roles.ts';
import { codeOf, errorOf } from './opened.ts';

const user = (role: (typeof userRoles)[number]): Actor => ({ kind: 'user', id: 'u', name: 'U', role });
const key = (scope: { models: string[] | '*'; actions: (typeof keyActions)[number][] }): Actor => ({
  kind: 'key',
  id: 'k',
  name: 'app',
  scope,
  owner: 'u',
});

const anyAction = fc.constantFrom(...actions);
const anyScope = fc.record({
  models: fc.oneof(fc.constant('*' as const), fc.array(fc.constantFrom('a', 'b', 'c'))),
  actions: fc.subarray([...keyActions]),
});

/** Written down a second time, so that a change of the table is a decision and not a slip. */
const forbidden: Record<string, Action[]> = {
  viewer: ['model.write', 'model.load', 'upload', 'template.install', 'instance.restart', 'release.request'],
  owner: [
    'user.read',
    'user.manage',
    'key.manage',
    'audit.read',
    'settings.write',
    'release.review',
    'release.override',
  ],
  reviewer: [
    'model.write',
    'model.load',
    'upload',
    'user.manage',
    'settings.write',
    'release.request',
    'release.override',
  ],
};

test('the administrator may do everything, the others not what is the business of others', () => {
  for (const action of actions) expect(mayDo(user('administrator'), action)).toBe(true);
  for (const action of actions) expect(mayDo({ kind: 'system', name: 'socket' }, action)).toBe(true);
  for (const role of ['viewer', 'owner', 'reviewer'] as const) {
    expect(forbidden[role]!.filter((action) => mayDo(user(role), action))).toEqual([]);
    expect(mayDo(user(role), 'model.read')).toBe(true);
    expect(mayDo(user(role), 'key.own')).toBe(true);
  }
  expect(mayDo(user('owner'), 'model.write')).toBe(true);
  expect(mayDo(user('reviewer'), 'release.review')).toBe(true);
});

test('every action is given to somebody besides the administrator or is named as reserved', () => {
  const reserved = actions.filter(
    (action) => !(['reviewer', 'owner', 'viewer'] as const).some((role) => roleMay(role, action)),
  );
  expect(reserved).toEqual([
    'pack.install',
    'user.read',
    'user.manage',
    'key.manage',
    'sign-on.read',
    'audit.read',
    'settings.read',
    'settings.write',
    'environment.write',
    'release.override',
    'notification.manage',
  ]);
});

test('nobody may do anything, and a guest only call models', () => {
  fc.assert(
    fc.property(anyAction, fc.option(fc.string(), { nil: undefined }), (action, model) => {
      expect(mayDo({ kind: 'nobody' }, action, model)).toBe(false);
      const guest = mayDo({ kind: 'guest', name: '10.0.0.1' }, action, model);
      expect(guest).toBe(['model.list', 'model.describe', 'model.predict'].includes(action));
    }),
  );
});

test('no key gets an action that its rows of the table do not have, nor a model outside its scope', () => {
  fc.assert(
    fc.property(
      anyScope,
      anyAction,
      fc.option(fc.constantFrom('a', 'b', 'd'), { nil: undefined }),
      (scope, action, model) => {
        const may = mayDo(key(scope), action, model);
        const isGranted = scope.actions.some((right) => roleMay(`key:${right}`, action));
        const isReached =
          scope.models === '*' || (model ? (scope.models as string[]).includes(model) : action === 'model.list');
        expect(may).toBe(isGranted && isReached);
        if (may) expect(mayDo(user('administrator'), action)).toBe(true);
      },
    ),
  );
});

test('what a key may be given never exceeds what its owner may do', () => {
  fc.assert(
    fc.property(fc.constantFrom(...userRoles), fc.constantFrom(...keyActions), anyAction, (role, right, action) => {
      if (mayGrant(role, right) && roleMay(`key:${right}`, action)) expect(roleMay(role, action)).toBe(true);
    }),
  );
  expect(mayGrant('owner', 'load')).toBe(true);
  expect(mayGrant('viewer', 'load')).toBe(false);
  expect(mayGrant('viewer', 'predict')).toBe(true);
  expect(userRoles.filter((role) => mayGrant(role, 'manage'))).toEqual(['administrator', 'owner']);
  expect(['account.own', 'key.own', 'user.read'].filter((each) => roleMay('key:manage', each as Action))).toEqual([]);
});

test('a refusal tells nobody to sign in, and somebody that it is not theirs', async () => {
  expect(await codeOf(() => requireAction({ kind: 'nobody' }, 'model.read'))).toBe('unauthenticated');
  const error = await errorOf(() => requireAction(user('viewer'), 'model.load', 'digits'));
  expect(error.code).toBe('forbidden');
  expect(error.message).toBe("You may not load or unload models on 'digits'.");
  expect(error.hint).toBe('These roles may: administrator, owner. Ask an administrator for one.');
  const limited = key({ models: ['a'], actions: ['read'] });
  expect(() => requireAction(limited, 'model.read', 'a')).not.toThrow();
  expect(await codeOf(() => requireAction(limited, 'model.read'))).toBe('forbidden');
  expect(await codeOf(() => requireAction(limited, 'device.read'))).toBe('forbidden');
  expect((await errorOf(() => requireAction(limited, 'model.predict', 'a'))).hint).toContain(
    'It needs the right predict',
  );
  expect((await errorOf(() => requireAction(limited, 'user.manage'))).hint).toContain('No key can');
});

test('the highest role of all groups counts', () => {
  const table = new Map([
    ['ml-admins', 'administrator'],
    ['ml-owners', 'owner'],
    ['staff', 'viewer'],
  ] as const);
  expect(findRoleOfGroups(['staff', 'ml-owners'], table)).toBe('owner');
  expect(findRoleOfGroups(['ml-admins', 'staff'], table)).toBe('administrator');
  expect(findRoleOfGroups(['ML-ADMINS', 'constructor'], table)).toBeUndefined();
  expect(findRoleOfGroups([], table)).toBeUndefined();
});
