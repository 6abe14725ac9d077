// Who may do what: every action of the product and the one table that gives actions to roles. Knows neither users nor
// keys, and nothing of how an action is done.

/** Roles that people have, highest first. */
export const userRoles = ['administrator', 'reviewer', 'owner', 'viewer'] as const;

export type UserRole = (typeof userRoles)[number];

/** What an API key may be given; each is a row of the table. */
export const keyActions = ['predict', 'read', 'load', 'manage', 'release'] as const;

export type KeyAction = (typeof keyActions)[number];

/** A row of the table: a role of people, a right of API keys, or one without a key in a network that was opened. */
export type Role = UserRole | `key:${KeyAction}` | 'guest';

export const actions = [
  // Models and what they are made of. model.describe is what a client needs to call one: name, signature, readiness.
  'model.list',
  'model.describe',
  'model.read',
  'model.predict',
  // Calls a version that no release has made live.
  'model.try',
  'model.write',
  'model.load',
  'upload',
  'template.read',
  'template.install',
  // The machine.
  'device.read',
  'placement.write',
  'instance.read',
  'instance.restart',
  'doctor.read',
  'metrics.read',
  'pack.install',
  // People and keys. account.own is one's own password, sessions, preferences and inbox.
  'account.own',
  'user.read',
  'user.manage',
  'key.own',
  'key.manage',
  'sign-on.read',
  'audit.read',
  'settings.read',
  'settings.write',
  // Going live.
  'endpoint.read',
  'endpoint.write',
  'environment.read',
  'environment.write',
  'release.read',
  'release.request',
  'release.comment',
  'release.review',
  'release.rollback',
  'release.override',
  'notification.manage',
] as const;

export type Action = (typeof actions)[number];

const ownAccount = ['account.own', 'key.own'] as const;

const reading = [
  'model.list',
  'model.describe',
  'model.read',
  'template.read',
  'device.read',
  'instance.read',
  'metrics.read',
  'endpoint.read',
  'environment.read',
  'release.read',
] as const;

const table: Record<Role, ReadonlySet<Action>> = {
  administrator: new Set(actions),
  reviewer: new Set([
    ...ownAccount,
    ...reading,
    'model.predict',
    'model.try',
    'doctor.read',
    'release.comment',
    'release.review',
    'release.rollback',
  ] as const),
  owner: new Set([
    ...ownAccount,
    ...reading,
    'model.predict',
    'model.try',
    'model.write',
    'model.load',
    'upload',
    'template.install',
    'placement.write',
    'instance.restart',
    'doctor.read',
    'endpoint.write',
    'release.request',
    'release.comment',
    'release.rollback',
  ] as const),
  viewer: new Set([...ownAccount, ...reading, 'model.predict'] as const),
  'key:predict': new Set(['model.list', 'model.describe', 'model.predict'] as const),
  'key:read': new Set(reading),
  'key:load': new Set(['model.list', 'model.describe', 'model.load'] as const),
  // What an owner does with models, for programs that bring and place them.
  'key:manage': new Set([
    'model.list',
    'model.describe',
    'model.read',
    'model.predict',
    'model.try',
    'model.write',
    'model.load',
    'upload',
    'template.read',
    'template.install',
    'placement.write',
    'instance.read',
    'instance.restart',
  ] as const),
  // Asks for releases and takes them back, for pipelines; to approve them is a person's.
  'key:release': new Set([
    'model.list',
    'model.describe',
    'model.read',
    'endpoint.read',
    'environment.read',
    'release.read',
    'release.request',
    'release.comment',
    'release.rollback',
  ] as const),
  guest: new Set(['model.list', 'model.describe', 'model.predict'] as const),
};

const ofRights = Object.fromEntries(keyActions.map((right) => [right, table[`key:${right}`]])) as Record<
  KeyAction,
  ReadonlySet<Action>
>;

/** Whether keys with the right may; each request with a key asks. */
export function rightMay(right: KeyAction, action: Action): boolean {
  return ofRights[right].has(action);
}

export function roleMay(role: Role, action: Action): boolean {
  return table[role].has(action);
}

/** Whether everything that the key's right allows is allowed to its owner too. */
export function mayGrant(owner: UserRole, right: KeyAction): boolean {
  return table[`key:${right}`].isSubsetOf(table[owner]);
}

export function isUserRole(text: string): text is UserRole {
  return (userRoles as readonly string[]).includes(text);
}

/**
 * @param groups as the single sign-on provider names them
 * @param roleOfGroup by the exact name of the group
 * @returns the highest role among the groups; undefined if none of them has one
 */
export function findRoleOfGroups(
  groups: readonly string[],
  roleOfGroup: ReadonlyMap<string, UserRole>,
): UserRole | undefined {
  const found = new Set(groups.map((group) => roleOfGroup.get(group)));
  return userRoles.find((role) => found.has(role));
}
