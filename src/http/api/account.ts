// Routes for one's own account: preferences, the password, and the one-time link for who has none.
import { Elysia } from 'elysia';

import { languages, themes } from '../../access/user-record.ts';
import { oneOf } from '../../setting-text.ts';
import { sessionCookieText } from '../gate.ts';
import { done, readSmallJson, userOf } from './access-request.ts';
import { accountBody, passwordBody, resetBody } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';
import { viewUser } from './users.ts';

const readLanguage = oneOf(languages);
const readTheme = oneOf(themes);

export function accountRoutes({ control, limits, asker, note }: ApiContext) {
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  return new Elysia({ normalize: false })
    .patch(
      '/api/v1/account',
      ({ request, body: { language, theme, email, mailMe } }) => {
        const { id, name } = userOf(asker(request));
        const chosen = {
          ...(language !== undefined && { language: language === null ? null : readLanguage(language) }),
          ...(email !== undefined && { email: email === '' ? null : email }),
          ...(mailMe !== undefined && { mailMe }),
          ...(theme !== undefined && { theme: theme === null ? null : readTheme(theme) }),
        };
        note(request, { target: name, after: chosen });
        return viewUser(control.access.users.setPreferences(id, chosen));
      },
      {
        parse,
        body: accountBody,
        detail: describe({
          id: 'setPreferences',
          action: 'account.own',
          tag: 'Access',
          summary: 'Choose the language and colours of the pages, and where notifications go',
          answer: { schema: 'User' },
          errors: ['invalid'],
        }),
      },
    )
    .put(
      '/api/v1/account/password',
      async ({ request, body: { current, password } }) => {
        const { session, isSecure, address } = asker(request);
        const user = userOf(asker(request));
        note(request, { target: user.name });
        const keepSession = session?.session.id;
        const token = await control.access.signIn.changePassword({ user, current, password, address, keepSession });
        return done(token && sessionCookieText(token, isSecure));
      },
      {
        parse,
        body: passwordBody,
        detail: describe({
          id: 'setPassword',
          action: 'account.own',
          tag: 'Access',
          summary: 'Change your password',
          description: 'All of your other sessions end, and this one gets a new cookie.',
          errors: ['invalid', 'conflict', 'throttled'],
        }),
      },
    )
    .post(
      '/api/v1/password-reset',
      async ({ request, body: { token, password } }) => {
        const { id, name, role } = await control.access.resets.complete(token, password);
        note(request, { actor: { kind: 'user', id, name, role }, target: name });
        return done();
      },
      {
        parse,
        body: resetBody,
        detail: describe({
          id: 'completePasswordReset',
          action: 'public',
          tag: 'Access',
          summary: 'Choose a password with a one-time link',
          description: 'All sessions of the user end. Sign in with the new password then.',
          errors: ['invalid', 'unauthenticated'],
        }),
      },
    );
}
