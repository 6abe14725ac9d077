// Routes for the first start: whether somebody owns the appliance, and the one-time link that makes the first
// administrator.
import { Elysia } from 'elysia';

import { readSmallJson } from './access-request.ts';
import { setupBody } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';
import { openSession } from './session.ts';

export function setupRoutes(context: ApiContext) {
  const { control, limits, note } = context;
  return new Elysia({ normalize: false })
    .get('/api/v1/setup', () => ({ isSetUp: control.access.setup.isSetUp() }), {
      detail: describe({
        id: 'getSetup',
        action: 'public',
        tag: 'Access',
        summary: 'Whether there is a first administrator',
        answer: { schema: 'SetupState' },
      }),
    })
    .post(
      '/api/v1/setup',
      async ({ request, body: { token, name, password } }) => {
        const { setup, signOns, users } = control.access;
        const { id } = await setup.complete(token, { name, password });
        users.touch(id);
        const user = users.get(id);
        note(request, { actor: { kind: 'user', id, name: user.name, role: user.role }, target: user.name });
        signOns.record({ name: user.name, address: context.asker(request).address, way: 'setup', result: 'ok' });
        return openSession(context, request, user, 'setup');
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: setupBody,
        detail: describe({
          id: 'completeSetup',
          action: 'public',
          tag: 'Access',
          summary: 'Make the first administrator, and sign in',
          description: 'With the token of the link that the server shows when it starts. The link works once.',
          answer: { status: 201, schema: 'OpenedSession' },
          errors: ['invalid', 'unauthenticated', 'conflict'],
        }),
      },
    )
    .post('/api/v1/setup/link', () => ({ path: `/setup?token=${control.access.setup.issueToken()}` }), {
      detail: describe({
        id: 'renewSetupLink',
        action: 'user.manage',
        tag: 'Access',
        summary: 'A new set-up link; the one before ends',
        description: 'While there is no user, only a command on the server itself may ask.',
        answer: { schema: 'SetupLink' },
        errors: ['conflict'],
      }),
    });
}
