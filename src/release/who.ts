// Who asks for releases and who decides on them: the rules beyond the table of roles. Pure.
import { type Actor, mayDo } from '../access/actor.ts';
import type { UserRole } from '../access/roles.ts';
import { AppError } from '../error.ts';
import type { Review } from './control.ts';
import type { By } from './release-rows.ts';
import { isEditable, mayFollow } from './states.ts';
import type { EnvironmentSettings, Release, ReleaseEvent } from './types.ts';

/** As it stands in the history. A key acts for its owner: four eyes are not two keys. */
export function byOf(actor: Actor): By {
  switch (actor.kind) {
    case 'user':
      return { id: actor.id, name: actor.name };
    case 'key':
      return { id: actor.owner, name: `key ${actor.name}` };
    case 'system':
      return { id: 'system', name: actor.name };
    default:
      throw new AppError('unauthenticated', 'This needs a sign-in or an API key.');
  }
}

/** @throws AppError forbidden */
export function requireRequester(role: UserRole, { requesters }: EnvironmentSettings, environment: string): void {
  if (requesters.includes(role)) return;
  throw new AppError(
    'forbidden',
    `The role ${role} may not ask for releases to ${environment}.`,
    `These may: ${requesters.join(', ') || 'none'}.`,
  );
}

/** Only whoever asked, and administrators, change a request. @throws AppError forbidden */
export function requireOwn(actor: Actor, release: Release): void {
  if (isOwn(actor, release)) return;
  const { name } = release.requester;
  throw new AppError('forbidden', `This request is ${name}'s.`, 'Comment on it, or make one of your own.');
}

function isOwn(actor: Actor, { requester }: Release): boolean {
  return byOf(actor).id === requester.id || actor.kind === 'system' || isAdministrator(actor);
}

const isAdministrator = (actor: Actor) => actor.kind === 'user' && actor.role === 'administrator';

/** Whoever asked for a release, or changed what it asks for, or sent it to review. */
export function authorsOf({ requester }: Release, events: readonly ReleaseEvent[]): Set<string> {
  const wrote = events.filter(({ kind, data }) => kind === 'submitted' || (kind === 'edited' && 'after' in data));
  return new Set([requester.id, ...wrote.map(({ actor }) => actor.id)]);
}

/** @throws AppError forbidden for a decision on what one has written oneself */
export function requireFourEyes(actor: Actor, authors: ReadonlySet<string>, { fourEyes }: EnvironmentSettings): void {
  if (!fourEyes || !authors.has(byOf(actor).id)) return;
  throw new AppError(
    'forbidden',
    'Nobody approves a request of their own here.',
    'Ask another reviewer; an administrator can change the rule of the environment.',
  );
}

export function mayNow(
  actor: Actor,
  release: Release,
  authors: ReadonlySet<string>,
  settings: EnvironmentSettings,
): Review['may'] {
  const { state } = release;
  const isMine = isOwn(actor, release) && mayDo(actor, 'release.request');
  const isOthers = !settings.fourEyes || !authors.has(byOf(actor).id);
  const mayReview = mayDo(actor, 'release.review') && state === 'submitted';
  return {
    edit: isMine && isEditable(state),
    submit: isMine && mayFollow(state, 'submitted'),
    withdraw: isMine && mayFollow(state, 'withdrawn'),
    approve: mayReview && isOthers,
    override: mayReview && isOthers && mayDo(actor, 'release.override'),
    reject: mayReview,
    ask: mayReview,
    comment: mayDo(actor, 'release.comment'),
  };
}
