// Who is asking, and whether that one may do something. Pure: it knows nothing of cookies, headers or the database.
import { AppError } from '../error.ts';
import { actionWords } from './action-words.ts';
import type { KeyScope } from './key-scope.ts';
import { type Action, keyActions, rightMay, roleMay, type UserRole, userRoles } from './roles.ts';

export interface UserActor {
  kind: 'user';
  id: string;
  name: string;
  role: UserRole;
}

export interface KeyActor {
  kind: 'key';
  id: string;
  name: string;
  /** What is left of the key's scope under its owner's role. */
  scope: KeyScope;
  /** Id of a user. */
  owner: string;
}

export type Actor =
  | UserActor
  | KeyActor
  /** The appliance itself, and whoever may open its unix socket. */
  | { kind: 'system'; name: string }
  /** Without a key, but in a network that an administrator opened for inference. */
  | { kind: 'guest'; name: string }
  | { kind: 'nobody' };

/**
 * @param model that the action is about. A key that is limited to certain models may do nothing without one but list,
 * and the list is to be filtered with `mayDo(actor, 'model.describe', name)`.
 */
export function mayDo(actor: Actor, action: Action, model?: string): boolean {
  switch (actor.kind) {
    case 'system':
      return true;
    case 'user':
      return roleMay(actor.role, action);
    case 'guest':
      return roleMay('guest', action);
    case 'key':
      return reaches(actor.scope, action, model) && actor.scope.actions.some((right) => rightMay(right, action));
    default:
      return false;
  }
}

function reaches({ models }: KeyScope, action: Action, model: string | undefined): boolean {
  if (models === '*') return true;
  return model === undefined ? action === 'model.list' : models.includes(model);
}

/** @throws AppError unauthenticated for nobody, forbidden for somebody who may not */
export function requireAction(actor: Actor, action: Action, model?: string): void {
  if (mayDo(actor, action, model)) return;
  if (actor.kind === 'nobody') {
    throw new AppError(
      'unauthenticated',
      'This needs a sign-in or an API key.',
      "Sign in, or send a key as 'Authorization: Bearer am_…' or 'X-API-Key: am_…'.",
    );
  }
  const about = model === undefined ? '' : ` on '${model.slice(0, 128)}'`;
  throw new AppError(
    'forbidden',
    `${subjectOf(actor)} may not ${actionWords[action]}${about}.`,
    hintFor(actor, action),
  );
}

function subjectOf(actor: Exclude<Actor, { kind: 'nobody' }>): string {
  switch (actor.kind) {
    case 'key':
      return `The API key '${actor.name}'`;
    case 'guest':
      return 'Without a key one';
    default:
      return 'You';
  }
}

function hintFor({ kind }: Actor, action: Action): string | undefined {
  if (kind === 'guest') return 'Use an API key: only inference is open here without one.';
  if (kind === 'key') {
    const rights = keyActions.filter((right) => rightMay(right, action));
    return rights.length > 0
      ? `It needs the right ${rights.join(' or ')}, for this model, and an owner who may do it too.`
      : 'No key can: a user has to sign in.';
  }
  const roles = userRoles.filter((role) => roleMay(role, action));
  return `These roles may: ${roles.join(', ')}. Ask an administrator for one.`;
}
