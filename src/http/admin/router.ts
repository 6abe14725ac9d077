// The pages of the admin web: finds the route, asks who comes and whether that one may, reads the form, and turns what a
// page throws into a page. The pages themselves are in the files beside it.
import { Html } from '../../../web/html.ts';
import { errorScreen } from '../../../web/screens/entry.ts';
import { pickLanguage, translate } from '../../../web/text/text.ts';
import type { Frame, Theme } from '../../../web/view-types.ts';
import type { Access } from '../../access/access.ts';
import { type Actor, mayDo, requireAction } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import { type AuditNote, auditRequest } from '../audited.ts';
import { errorBody, statusOf } from '../errors.ts';
import { type Asker, formTokenField, formTokenHeader, type Gate, sessionCookie } from '../gate.ts';
import {
  type AdminRoute,
  cookiesOf,
  endedFlash,
  languageCookie,
  pageOf,
  readFlash,
  readForm,
  themeCookie,
  type Visit,
} from './visit.ts';

export interface AdminParts {
  access: Access;
  gate: Gate;
  version: string;
  /** How much of a user's inbox is not read. */
  unreadCount: (user: string) => number;
  /** Releases that wait for a decision. */
  waiting(): number;
}

export interface Admin {
  /** Undefined when no page is meant. */
  find(pathname: string): boolean;
  answer(request: Request, asker: Asker, requestId: string): Promise<Response>;
  routes: readonly AdminRoute[];
}

/** Pages that have no /admin before their name. */
const entrances = new Set(['/', '/setup', '/reset', '/sign-in', '/sign-in/sso', '/sign-in/callback']);

export function createAdmin(routes: readonly AdminRoute[], parts: AdminParts): Admin {
  const { access, gate, version, unreadCount, waiting } = parts;
  const patterns = routes.map((route) => ({ route, parts: route.path.split('/') }));

  function match(method: string, pathname: string) {
    const given = pathname === '/' ? ['', ''] : pathname.replace(/\/$/, '').split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    for (const { route, parts } of patterns) {
      if (route.method !== wanted || parts.length !== given.length) continue;
      if (!parts.every((part, i) => part.startsWith(':') || part === given[i])) continue;
      const named = parts.flatMap((part, i) => (part.startsWith(':') ? [[part.slice(1), decode(given[i]!)]] : []));
      return { route, params: Object.fromEntries(named) as Record<string, string> };
    }
    return undefined;
  }

  function frameOf(request: Request, url: URL, { actor, session }: Asker): Frame {
    const cookies = cookiesOf(request);
    const user = actor.kind === 'user' ? access.users.find(actor.id) : undefined;
    const preferred = user?.language ?? cookies.get(languageCookie);
    const theme = user?.theme ?? cookies.get(themeCookie);
    return {
      t: translate(pickLanguage(request.headers.get('accept-language'), preferred)),
      theme: theme === 'light' || theme === 'dark' ? theme : ('system' satisfies Theme),
      path: url.pathname + url.search,
      csrf: session ? access.formTokens.issue(session.session.id) : '',
      version,
      nowMs: Date.now(),
      ...(actor.kind === 'user' && { viewer: viewerOf(actor, unreadCount(actor.id)) }),
      ...(mayDo(actor, 'release.review') && { waiting: waiting() }),
      flash: readFlash(cookies),
    };
  }

  async function visit(request: Request, url: URL, asker: Asker, frame: Frame, requestId: string): Promise<Response> {
    const found = match(request.method, url.pathname);
    if (!found) throw new AppError('not_found', 'There is no such page.');
    const { route, params } = found;
    const refusal = turnAway(route, asker, url);
    if (refusal) return refusal;
    const form = route.method === 'POST' ? await readForm(request, route.mostFormBytes) : new Map<string, string>();
    if (route.method === 'POST') checkToken(request, asker, form);
    let note: AuditNote = {};
    const own: Visit = {
      request,
      url,
      params,
      asker,
      requestId,
      frame,
      form,
      note: (more) => void (note = { ...note, ...more }),
    };
    const { method, path, operation = `${method} ${path}` } = route;
    const audited = { asker, operation, isReading: method === 'GET', parameters: params, requestId };
    const record = (status: number) => route.leavesNoTrace || auditRequest(access.audit, audited, () => note, status);
    try {
      if (route.action !== 'public' && route.action !== 'signed-in') {
        requireAction(asker.actor, route.action, params.name);
      }
      const answer = await route.answer(own);
      // A form that is shown again with its faults has done nothing.
      record(answer instanceof Response ? answer.status : 200);
      return answer instanceof Html ? pageOf(answer) : answer;
    } catch (error) {
      record(error instanceof AppError ? statusOf[error.code] : 500);
      throw error;
    }
  }

  function turnAway(route: AdminRoute, { actor, session }: Asker, url: URL): Response | undefined {
    if (route.action === 'public') return undefined;
    if (actor.kind !== 'user') {
      const next = url.pathname === '/' ? '' : `?next=${encodeURIComponent(url.pathname + url.search)}`;
      return new Response(null, { status: 303, headers: { location: `/sign-in${next}` } });
    }
    if (session?.mustChangePassword && !route.isForAnyPassword) {
      return new Response(null, { status: 303, headers: { location: '/admin/password' } });
    }
    return undefined;
  }

  function checkToken(request: Request, { session }: Asker, form: ReadonlyMap<string, string>): void {
    if (!session) return;
    const token = request.headers.get(formTokenHeader) ?? form.get(formTokenField) ?? '';
    if (gate.isFormToken(token, session)) return;
    throw new AppError(
      'forbidden',
      'This form is too old, or not of this server.',
      'Open the page again and repeat it.',
    );
  }

  return {
    routes,
    find: (pathname) => entrances.has(pathname) || pathname === '/admin' || pathname.startsWith('/admin/'),
    async answer(request, asker, requestId) {
      const url = new URL(request.url);
      const frame = frameOf(request, url, asker);
      let response: Response;
      try {
        response = await visit(request, url, asker, frame, requestId);
      } catch (error) {
        const { code, message, hint } = errorBody(error, requestId).error;
        const view = { code, message, hint, ...(code === 'internal' && { requestId }) };
        response = pageOf(errorScreen(frame, view), statusOf[code]);
      }
      // The page itself may have begun or ended a session.
      const isSet = response.headers.getSetCookie().some((text) => text.startsWith(`${sessionCookie}=`));
      if (asker.cookie && !isSet) response.headers.append('set-cookie', asker.cookie);
      const isShown = frame.flash !== undefined && response.headers.get('content-type')?.startsWith('text/html');
      if (isShown) response.headers.append('set-cookie', endedFlash);
      return response;
    },
  };
}

function viewerOf(actor: Extract<Actor, { kind: 'user' }>, unread: number): Frame['viewer'] {
  const { name, role } = actor;
  return { name, role, may: (action) => mayDo(actor, action), unread };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
