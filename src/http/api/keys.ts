// Routes for API keys: one's own, and everybody's for those who manage keys. A key's text is in one answer only.
import { Elysia } from 'elysia';

import { mayDo } from '../../access/actor.ts';
import type { KeySettings } from '../../access/key-scope.ts';
import type { KeyRecord } from '../../access/keys.ts';
import { keyActions } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import { oneOf } from '../../setting-text.ts';
import type { Asker } from '../gate.ts';
import {
  answerOnce,
  done,
  formatTime,
  formatTimeOrNull,
  nameOf,
  parseTime,
  readSmallJson,
  userOf,
} from './access-request.ts';
import { keyBody, keyPatch, rotateBody } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';

const hourMs = 3_600_000;
const usualOverlapHours = 24;
const readAction = oneOf(keyActions);

export interface KeyView extends Omit<
  KeyRecord,
  'expiresMs' | 'createdMs' | 'lastUsedMs' | 'previousUntilMs' | 'revokedMs'
> {
  expiresAt: string | null;
  createdAt: string;
  lastUsedAt: string | null;
  previousUntil: string | null;
  revokedAt: string | null;
}

function viewKey({ expiresMs, createdMs, lastUsedMs, previousUntilMs, revokedMs, ...key }: KeyRecord): KeyView {
  return {
    ...key,
    expiresAt: formatTimeOrNull(expiresMs),
    createdAt: formatTime(createdMs),
    lastUsedAt: formatTimeOrNull(lastUsedMs),
    previousUntil: formatTimeOrNull(previousUntilMs),
    revokedAt: formatTimeOrNull(revokedMs),
  };
}

export function keyRoutes(context: ApiContext) {
  const { control, limits, asker, note } = context;
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  const own = (request: Request, id: string) => getOwn(context, asker(request), id);
  return new Elysia({ normalize: false })
    .use(readingRoutes(context))
    .post(
      '/api/v1/keys',
      ({ request, body: { owner, ...fields } }) => {
        const who = asker(request);
        const made = control.access.keys.create(
          { ...unlimited, ...readSettings(fields), name: fields.name, scope: readScope(fields.scope) },
          chooseOwner(who, owner),
          nameOf(who.actor),
        );
        note(request, { target: made.key.id, after: summarise(made.key) });
        return answerOnce({ text: made.text, key: viewKey(made.key) }, 201);
      },
      {
        parse,
        body: keyBody,
        detail: describe({
          id: 'createKey',
          action: 'key.own',
          tag: 'Access',
          summary: 'Make an API key',
          description:
            'Its text is in this answer only. A key can do no more than its owner may. Send it as ' +
            '`Authorization: Bearer am_…` or `X-API-Key: am_…`.',
          answer: { status: 201, schema: 'NewApiKey' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
        }),
      },
    )
    .patch(
      '/api/v1/keys/:key',
      ({ request, params, body: { owner, ...fields } }) => {
        const { keys } = control.access;
        const before = own(request, params.key);
        const changes = readSettings(fields);
        if (owner !== undefined) requireTransfer(asker(request), changes);
        const after = owner === undefined ? keys.change(before.id, changes) : keys.transfer(before.id, owner);
        note(request, { before: summarise(before), after: summarise(after) });
        return viewKey(after);
      },
      {
        parse,
        body: keyPatch,
        detail: describe({
          id: 'changeKey',
          action: 'key.own',
          tag: 'Access',
          summary: 'Change what an API key may do, how often and until when',
          description: 'Send what is to change. null takes a limit away.',
          answer: { schema: 'ApiKey' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
        }),
      },
    )
    .delete(
      '/api/v1/keys/:key',
      ({ request, params }) => {
        const before = own(request, params.key);
        note(request, { before: summarise(before) });
        control.access.keys.revoke(before.id, nameOf(asker(request).actor));
        return done();
      },
      {
        detail: describe({
          id: 'revokeKey',
          action: 'key.own',
          tag: 'Access',
          summary: 'Revoke an API key, at once and for ever',
          description: 'It stays in the list.',
          errors: ['not_found', 'conflict'],
        }),
      },
    )
    .post(
      '/api/v1/keys/:key/rotate',
      ({ request, params, body: { overlapHours = usualOverlapHours } }) => {
        const { id, name } = own(request, params.key);
        note(request, { after: { name, overlapHours } });
        const { text, key } = control.access.keys.rotate(id, overlapHours * hourMs);
        return answerOnce({ text, key: viewKey(key) });
      },
      {
        parse,
        body: rotateBody,
        detail: describe({
          id: 'rotateKey',
          action: 'key.own',
          tag: 'Access',
          summary: 'Give an API key a new text; the old one works for some hours more',
          answer: { schema: 'NewApiKey' },
          errors: ['invalid', 'not_found', 'conflict'],
        }),
      },
    );
}

function readingRoutes(context: ApiContext) {
  const { control, asker } = context;
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/keys',
      ({ request }) => {
        const who = asker(request);
        const owner = mayManage(who) ? undefined : userOf(who).id;
        return { keys: control.access.keys.list(owner).map(viewKey) };
      },
      {
        detail: describe({
          id: 'listKeys',
          action: 'key.own',
          tag: 'Access',
          summary: 'Your API keys; all for who manages keys',
          answer: { schema: 'ApiKeyList' },
        }),
      },
    )
    .get('/api/v1/keys/:key', ({ request, params }) => viewKey(getOwn(context, asker(request), params.key)), {
      detail: describe({
        id: 'getKey',
        action: 'key.own',
        tag: 'Access',
        summary: 'One API key',
        answer: { schema: 'ApiKey' },
        errors: ['not_found'],
      }),
    });
}

const mayManage = ({ actor }: Asker) => mayDo(actor, 'key.manage');

/** @throws AppError not_found, also for a key that is somebody else's */
function getOwn({ control: { access } }: ApiContext, who: Asker, id: string): KeyRecord {
  const key = access.keys.get(id);
  if (mayManage(who) || key.owner === userOf(who).id) return key;
  throw new AppError('not_found', 'There is no such API key.', 'List the keys to see what there is.');
}

/** @throws AppError forbidden, invalid when it has to be named */
function chooseOwner(who: Asker, owner: string | undefined): string {
  const self = who.actor.kind === 'user' ? who.actor.id : undefined;
  const chosen = owner ?? self;
  if (chosen === undefined) {
    throw new AppError('invalid', 'The key needs an owner.', 'Send the id of the user who answers for it as `owner`.');
  }
  if (chosen === self || mayManage(who)) return chosen;
  throw new AppError('forbidden', 'Only who manages keys makes them for others.', 'Leave `owner` out.');
}

/** @throws AppError forbidden, invalid */
function requireTransfer(who: Asker, changes: object): void {
  if (!mayManage(who)) {
    throw new AppError('forbidden', 'Only who manages keys gives them to others.', 'Ask an administrator.');
  }
  if (Object.keys(changes).length === 0) return;
  throw new AppError('invalid', 'A key changes its owner alone.', 'Send the other changes before or after it.');
}

const unlimited = { expiresMs: null, ratePerSecond: null, burst: null, dailyQuota: null };

interface Fields {
  name?: string;
  scope?: { models: string[] | '*'; actions: string[] };
  expiresAt?: string | null;
  ratePerSecond?: number | null;
  burst?: number | null;
  dailyQuota?: number | null;
}

/** @throws AppError invalid */
function readSettings({ scope, expiresAt, ...fields }: Fields): Partial<KeySettings> {
  return {
    ...fields,
    ...(scope && { scope: readScope(scope) }),
    ...(expiresAt !== undefined && { expiresMs: expiresAt === null ? null : parseTime(expiresAt) }),
  };
}

function readScope({ models, actions }: NonNullable<Fields['scope']>): KeySettings['scope'] {
  return { models, actions: actions.map(readAction) };
}

/** What the audit trail keeps. */
function summarise({ name, ownerName, scope, expiresMs, ratePerSecond, burst, dailyQuota }: KeyRecord) {
  return { name, ownerName, scope, expiresAt: formatTimeOrNull(expiresMs), ratePerSecond, burst, dailyQuota };
}
