// Shapes of what the API takes and answers about access: users, sessions, API keys, the audit trail.
import { t } from 'elysia';

import { keyActions, userRoles } from '../../access/roles.ts';
import { languages, themes } from '../../access/user-record.ts';
import { count, flag, list, object, ref, text, time } from './shapes.ts';

const closed = { additionalProperties: false };

/** Longer ones are refused, and in better words, by those who read them. */
const name = (description: string, example: string) => t.String({ maxLength: 1024, description, examples: [example] });
const secret = (description: string) => t.String({ maxLength: 4096, description });
/** What it may be is said better by those who read it. */
const choice = (values: readonly string[], description: string) =>
  t.String({ maxLength: 64, enum: [...values], description });
const instant = (description: string) =>
  t.String({ maxLength: 64, description, examples: ['2026-01-31T12:00:00Z', '2026-01-31'] });
const query = (description: string) => t.Optional(t.String({ maxLength: 256, description }));

const newPassword = secret('12 to 256 characters.');

export const setupBody = t.Object(
  {
    token: secret('Of the link that the server shows at its start.'),
    name: name('Of the first administrator.', 'Ada'),
    password: newPassword,
  },
  closed,
);
export const signInBody = t.Object({ name: name('In any case.', 'Ada'), password: secret('The password.') }, closed);
export const sessionsQuery = t.Object(
  { user: query("Id of a user, or 'all'; your own without it. Others need the right to manage users.") },
  closed,
);
const email = t.String({
  maxLength: 256,
  description: 'Where notifications go; "" for nowhere.',
  examples: ['ada@corp'],
});
const mailMe = t.Boolean({ description: 'Whether what is in the inbox comes by mail too.' });
export const accountBody = t.Object(
  {
    email: t.Optional(email),
    mailMe: t.Optional(mailMe),
    language: t.Optional(
      t.Union([choice(languages, 'Of the pages.'), t.Null()], { description: "null: the browser's." }),
    ),
    theme: t.Optional(t.Union([choice(themes, 'Of the pages.'), t.Null()], { description: "null: the browser's." })),
  },
  closed,
);
export const passwordBody = t.Object({ current: secret('The password until now.'), password: newPassword }, closed);
export const resetBody = t.Object({ token: secret('Of the one-time link.'), password: newPassword }, closed);

export const userBody = t.Object(
  {
    name: name('To sign in with.', 'Grace'),
    role: choice(userRoles, 'What the user may do.'),
    password: t.Optional(
      secret('To be changed at the first sign-in. Without one the answer has a one-time link for the user.'),
    ),
    email: t.Optional(email),
  },
  closed,
);
export const userPatch = t.Object(
  {
    revision: t.Integer({ minimum: 1, description: 'The one on which this was decided.' }),
    name: t.Optional(name('To sign in with.', 'Grace')),
    role: t.Optional(choice(userRoles, 'What the user may do.')),
    email: t.Optional(email),
    isDisabled: t.Optional(t.Boolean({ description: 'true ends all sessions; keys of the user do not work.' })),
  },
  closed,
);

const scope = t.Object(
  {
    models: t.Union([t.Array(t.String({ maxLength: 128 }), { minItems: 1, maxItems: 200 }), t.Literal('*')], {
      description: "Names of models, or '*' for all and for what is about no model.",
    }),
    actions: t.Array(choice(keyActions, 'A right.'), { minItems: 1, maxItems: keyActions.length }),
  },
  { ...closed, description: "What the key may do: never more than its owner's role." },
);
const keyFields = {
  expiresAt: t.Optional(t.Union([instant('When it ends.'), t.Null()], { description: 'null: never.' })),
  ratePerSecond: t.Optional(t.Union([t.Number(), t.Null()], { description: 'Requests a second; null: any number.' })),
  burst: t.Optional(
    t.Union([t.Integer(), t.Null()], { description: "Requests that may come at once; null: a second's worth." }),
  ),
  dailyQuota: t.Optional(t.Union([t.Integer(), t.Null()], { description: 'Requests a day (UTC); null: any number.' })),
};
const keyName = name('What uses it.', 'quality control, line 3');
export const keyBody = t.Object(
  {
    name: keyName,
    owner: t.Optional(name('Id of the user who answers for it; yourself if absent.', '0b8f1d34-…')),
    scope,
    ...keyFields,
  },
  closed,
);
export const keyPatch = t.Object(
  {
    name: t.Optional(keyName),
    scope: t.Optional(scope),
    owner: t.Optional(name('Id of a user who takes it over. Alone, and only by who manages keys.', '0b8f1d34-…')),
    ...keyFields,
  },
  closed,
);
export const rotateBody = t.Object(
  {
    overlapHours: t.Optional(
      t.Number({ minimum: 0, maximum: 720, default: 24, description: 'How long the old key goes on working.' }),
    ),
  },
  closed,
);

const auditFilter = {
  actor: query('Name of who did it.'),
  action: query("What was done: an operation's id, such as createUser."),
  target: query('What it was done to: a name or an id.'),
  from: query('Time of the first, such as 2026-01-31 or 2026-01-31T12:00:00Z.'),
  to: query('Time before which the last was.'),
};
/** As text: what numbers may be is said better by those who read them. */
const page = {
  before: query('Only what is older than the entry with this number.'),
  limit: query('Most entries, 1 to 1000; 100 if absent.'),
};
export const auditQuery = t.Object({ ...auditFilter, ...page }, closed);
export const exportQuery = t.Object(auditFilter, closed);
export const signOnsQuery = t.Object({ name: query('Only of this name, as it was typed.'), ...page }, closed);

const nullable = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });
const preference = (values: readonly string[]) => ({ enum: [...values, null], description: "null: the browser's." });
const keyScope = object({
  models: { anyOf: [list(text), { enum: ['*'] }] },
  actions: list({ enum: keyActions }),
});
const link = {
  path: { type: 'string', description: 'Path with a token, good once. Put the address of this server before it.' },
};
const actorKinds = ['user', 'key', 'system', 'guest', 'nobody'];
const way = { enum: ['password', 'oidc', 'setup', 'reset'] };

/** JSON Schema (2020-12) by name. */
export const accessSchemas = {
  SetupState: object({ isSetUp: flag }),
  SetupLink: object(link),
  User: object({
    id: text,
    name: text,
    role: { enum: userRoles },
    isDisabled: flag,
    hasPassword: flag,
    mustChangePassword: flag,
    isLinked: { type: 'boolean', description: 'Whether a single sign-on provider knows this user.' },
    language: preference(languages),
    theme: preference(themes),
    email: nullable(text),
    mailMe: { type: 'boolean', description: 'Whether what is in the inbox comes by mail too.' },
    createdAt: time,
    signedInAt: nullable(time),
    revision: { ...count, description: 'Goes up with every change. Send it back with your own.' },
    changedAt: time,
    changedBy: text,
    changedWhat: text,
  }),
  UserList: object({ users: list(ref('User')) }),
  NewUser: object({ user: ref('User'), 'link?': ref('ResetLink') }),
  ResetLink: object({ ...link, expiresAt: time }),
  OpenedSession: object({
    user: ref('User'),
    csrfToken: { type: 'string', description: 'To be sent as X-CSRF-Token with everything but GET.' },
    mustChangePassword: { type: 'boolean', description: 'Nothing else is allowed before.' },
  }),
  Asker: object({
    kind: { enum: actorKinds },
    'id?': text,
    name: text,
    'role?': { enum: userRoles },
    'scope?': keyScope,
    'language?': preference(languages),
    'theme?': preference(themes),
    'csrfToken?': text,
    'mustChangePassword?': flag,
  }),
  SessionList: object({
    sessions: list(
      object({
        id: text,
        user: text,
        userName: text,
        createdAt: time,
        seenAt: time,
        address: text,
        agent: text,
        way,
        isCurrent: flag,
      }),
    ),
  }),
  EndedSessions: object({ ended: count }),
  ApiKey: object({
    id: text,
    name: text,
    prefix: { type: 'string', description: 'What the key begins with.' },
    owner: text,
    ownerName: text,
    scope: keyScope,
    expiresAt: nullable(time),
    ratePerSecond: { type: ['number', 'null'] },
    burst: nullable(count),
    dailyQuota: nullable(count),
    createdAt: time,
    createdBy: text,
    lastUsedAt: nullable(time),
    usedToday: { ...count, description: 'Requests of this day (UTC).' },
    previousUntil: { ...nullable(time), description: 'How long the key before the last rotation works.' },
    revokedAt: nullable(time),
    revokedBy: nullable(text),
  }),
  ApiKeyList: object({ keys: list(ref('ApiKey')) }),
  NewApiKey: object({ text: { type: 'string', description: 'The key. It is shown this once.' }, key: ref('ApiKey') }),
  AuditTrail: object({
    entries: list(
      object({
        seq: count,
        at: time,
        actor: object({ kind: { enum: actorKinds }, 'id?': text, name: text }),
        action: text,
        target: text,
        result: { enum: ['ok', 'refused', 'failed'] },
        from: { type: 'string', description: 'Address; "socket" for a command on the server itself.' },
        requestId: text,
        'before?': { description: 'Without secrets; what is long is cut.' },
        'after?': { description: 'Without secrets; what is long is cut.' },
      }),
    ),
  }),
  AuditVerification: object({
    ok: flag,
    'count?': { ...count, description: 'Entries, if all hold.' },
    'head?': { type: 'string', description: 'Hash of the last. Keep it elsewhere to prove later what was there.' },
    'seq?': { ...count, description: 'The first that does not hold.' },
    'why?': { enum: ['changed', 'missing', 'cut', 'added'] },
  }),
  SignOnList: object({
    signOns: list(
      object({
        id: count,
        at: time,
        name: text,
        address: text,
        way,
        result: { enum: ['ok', 'refused', 'disabled', 'locked', 'no-role'] },
        attempts: { ...count, description: 'Equal ones in a short time are one.' },
      }),
    ),
  }),
  SettingList: object({
    settings: list(
      object({
        name: text,
        value: { type: 'string', description: 'A secret is only said to be set.' },
        source: { enum: ['flag', 'variable', 'file', 'default'] },
        default: text,
        help: text,
      }),
    ),
  }),
} as const;
