// The way in: set-up, sign-in, the password, language and colours, and the way out.
import type { Html } from '../../../web/html.ts';
import { passwordScreen, setupScreen, signInScreen } from '../../../web/screens/entry.ts';
import { languageTags } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import type { SignInWay } from '../../access/sessions.ts';
import { AppError } from '../../error.ts';
import { deviceCookieText, endedCookieText, findDevice, sessionCookie, sessionCookieText } from '../gate.ts';
import type { AdminContext } from './context.ts';
import {
  type AdminRoute,
  cookiesOf,
  languageCookie,
  ownPath,
  retry,
  seeOther,
  themeCookie,
  userOf,
  type Visit,
} from './visit.ts';

const yearS = 365 * 24 * 3600;

/** To `path`, with the cookie of a new session. Who came by a link has passed no sign-in, which would have been logged. */
export function startSession(
  { access }: AdminContext,
  { asker, request }: Visit,
  { user, way, path }: { user: string; way: SignInWay; path: string },
): Response {
  const { address, isSecure } = asker;
  if (way === 'setup' || way === 'reset') {
    access.signOns.record({ name: access.users.get(user).name, address, way, result: 'ok' });
    access.users.touch(user);
  }
  // The cookie of whoever was signed in here is about to be replaced.
  const other = asker.session?.session;
  if (other && other.user !== user) access.sessions.revoke(other.id);
  const agent = request.headers.get('user-agent') ?? '';
  const { token } = access.sessions.create(user, { address, agent, way, isSecure });
  const cookies = [sessionCookieText(token, isSecure)];
  // Nobody guesses at passwords of those whom a provider vouches for.
  if (way !== 'oidc') {
    const device = access.origins.remember(user, { address, device: findDevice(request) });
    cookies.push(deviceCookieText(device, isSecure));
  }
  return seeOther(path, undefined, cookies);
}

export function signInPage(
  { singleSignOn }: AdminContext,
  { request, form, url, frame }: Visit,
  state: FormState,
): Html {
  const next = ownPath(form.get('next') ?? url.searchParams.get('next') ?? undefined, '/admin');
  const href = `/sign-in/sso?next=${encodeURIComponent(next)}`;
  const providers = singleSignOn ? [{ name: singleSignOn.name, href }] : [];
  // Whoever signs out loses the cookie: this one's session has ended by itself.
  const sessionEnded = request.method === 'GET' && cookiesOf(request).has(sessionCookie);
  return signInScreen(frame, { host: url.host, form: state, next, providers, sessionEnded });
}

export function entryRoutes(context: AdminContext): AdminRoute[] {
  const { access } = context;
  const { users, setup, signIn, sessions } = access;

  return [
    {
      method: 'GET',
      path: '/',
      action: 'public',
      answer: ({ asker }) => seeOther(asker.actor.kind === 'user' ? '/admin' : setup.isSetUp() ? '/sign-in' : '/setup'),
    },
    {
      method: 'GET',
      path: '/setup',
      action: 'public',
      answer({ frame, url }) {
        if (setup.isSetUp()) return seeOther('/sign-in');
        const token = url.searchParams.get('token') ?? '';
        return setupScreen(frame, { token, form: empty, spent: !setup.isToken(token) });
      },
    },
    {
      method: 'POST',
      path: '/setup',
      action: 'public',
      operation: 'completeSetup',
      async answer(visit) {
        const { form, frame } = visit;
        const token = form.get('token') ?? '';
        const state = stateOf(form, ['name']);
        try {
          requireSame(form, state, frame.t('password.differs'));
          const user = await setup.complete(token, {
            name: form.get('name') ?? '',
            password: form.get('password') ?? '',
          });
          const { id, role } = user;
          visit.note({ actor: { kind: 'user', id, name: user.name, role }, target: user.name });
          return startSession(context, visit, { user: user.id, way: 'setup', path: '/admin' });
        } catch (error) {
          return retry(setupScreen(frame, { token, form: withError(state, error), spent: !setup.isToken(token) }));
        }
      },
    },
    {
      method: 'GET',
      path: '/sign-in',
      action: 'public',
      answer: (visit) => (visit.asker.actor.kind === 'user' ? seeOther('/admin') : signInPage(context, visit, empty)),
    },
    {
      method: 'POST',
      path: '/sign-in',
      action: 'public',
      operation: 'signIn',
      async answer(visit) {
        const { form, asker, request } = visit;
        const state = stateOf(form, ['name']);
        const name = form.get('name') ?? '';
        try {
          const user = await signIn.withPassword({
            name,
            password: form.get('password') ?? '',
            address: asker.address,
            device: findDevice(request),
          });
          const path = ownPath(form.get('next'), '/admin');
          return startSession(context, visit, { user: user.id, way: 'password', path });
        } catch (error) {
          return retry(signInPage(context, visit, withError(state, error)));
        }
      },
    },
    {
      method: 'POST',
      path: '/admin/sign-out',
      action: 'signed-in',
      operation: 'signOut',
      isForAnyPassword: true,
      answer({ asker: { session } }) {
        if (session) sessions.revoke(session.session.id);
        return seeOther('/sign-in', undefined, [endedCookieText()]);
      },
    },
    {
      method: 'POST',
      path: '/admin/preferences',
      action: 'public',
      operation: 'setPreferences',
      answer({ form, asker, note }) {
        const back = ownPath(form.get('back'), '/admin');
        const theme = ['system', 'light', 'dark'].find((each) => each === form.get('theme'));
        const language = Object.values(languageTags).find((each) => each === form.get('language'));
        const keep = (name: string, value: string) => `${name}=${value}; Path=/; SameSite=Lax; Max-Age=${yearS}`;
        if (asker.actor.kind === 'user') {
          const chosen = {
            ...(theme && { theme: theme === 'system' ? null : (theme as 'light' | 'dark') }),
            ...(language && { language }),
          };
          note({ target: asker.actor.name, after: chosen });
          users.setPreferences(asker.actor.id, chosen);
        }
        const cookies = [
          ...(theme ? [keep(themeCookie, theme)] : []),
          ...(language ? [keep(languageCookie, language)] : []),
        ];
        return seeOther(back, undefined, cookies);
      },
    },
    {
      method: 'GET',
      path: '/admin/password',
      action: 'signed-in',
      isForAnyPassword: true,
      answer: ({ frame, asker }) =>
        passwordScreen(frame, { form: empty, must: asker.session?.mustChangePassword ?? false }),
    },
    {
      method: 'POST',
      path: '/admin/password',
      action: 'signed-in',
      operation: 'setPassword',
      isForAnyPassword: true,
      async answer(visit) {
        const { form, frame, asker } = visit;
        const user = userOf(visit);
        const must = asker.session?.mustChangePassword ?? false;
        visit.note({ target: user.name });
        const state = stateOf(form, []);
        try {
          requireSame(form, state, frame.t('password.differs'));
          const [current, password] = [form.get('current') ?? '', form.get('password') ?? ''];
          const { address, session, isSecure } = asker;
          const keepSession = session?.session.id;
          const token = await signIn.changePassword({ user, current, password, address, keepSession });
          const cookies = token ? [sessionCookieText(token, isSecure)] : [];
          return seeOther('/admin', { tone: 'good', text: frame.t('password.changed') }, cookies);
        } catch (error) {
          return retry(passwordScreen(frame, { form: withError(state, error), must }));
        }
      },
    },
  ];
}

export const empty: FormState = { values: {}, errors: {} };

export function stateOf(form: ReadonlyMap<string, string>, names: string[]): FormState {
  return { values: Object.fromEntries(names.map((name) => [name, form.get(name) ?? ''])), errors: {} };
}

/** What a person can put right is shown in the form; anything else is no matter of the form. */
export function withError(state: FormState, error: unknown): FormState {
  const isOfForm = error instanceof AppError && !['internal', 'forbidden'].includes(error.code);
  if (!isOfForm) throw error;
  if (Object.keys(state.errors).length > 0) return state;
  return { ...state, errors: { '': `${error.message} ${error.hint ?? ''}`.trim() } };
}

/** @throws AppError invalid when the password and its repetition differ */
export function requireSame(form: ReadonlyMap<string, string>, state: FormState, words: string): void {
  if (form.get('password') === form.get('again')) return;
  state.errors.again = words;
  throw new AppError('invalid', words);
}
