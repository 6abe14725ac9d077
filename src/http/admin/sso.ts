// Single sign-on in a browser: sends it to the provider and takes it back. What has to be kept meanwhile lies sealed in a
// cookie of that browser, so that nobody can fill a table here.
import type { PendingSignOn } from '../../access/oidc.ts';
import { type UserRole, userRoles } from '../../access/roles.ts';
import { Seal } from '../../access/sealed.ts';
import type { Config } from '../../config.ts';
import { AppError } from '../../error.ts';
import { statusOf } from '../errors.ts';
import type { AdminContext, SingleSignOn } from './context.ts';
import { signInPage, startSession } from './entry.ts';
import { type AdminRoute, cookiesOf, ownPath, pageOf, seeOther, type Visit } from './visit.ts';

const callbackPath = '/sign-in/callback';
const cookieName = 'aimass_sso';
/** Somebody may have to find a telephone for a second factor. */
const lifeMs = 10 * 60_000;

interface Kept {
  pending: PendingSignOn;
  next: string;
}

/** @returns undefined when no provider is set. @throws AppError invalid for settings that do not fit together */
export async function openSingleSignOn(config: Config): Promise<SingleSignOn | undefined> {
  const { oidcIssuer, oidcClientId, oidcRoles, oidcName, publicUrl } = config;
  if (!oidcIssuer) return undefined;
  const missing = Object.entries({ public_url: publicUrl, oidc_client_id: oidcClientId, oidc_roles: oidcRoles })
    .filter(([, value]) => !value)
    .map(([key]) => key);
  if (missing.length > 0) {
    throw new AppError(
      'invalid',
      `Single sign-on also needs ${missing.join(' and ')}.`,
      "'aimass config' says what each setting is for. Without oidc_issuer there is no single sign-on.",
    );
  }
  // Only where it is used: it takes a while to load.
  const { Oidc } = await import('../../access/oidc.ts');
  const provider = new Oidc({
    issuer: oidcIssuer,
    clientId: oidcClientId,
    clientSecret: config.oidcClientSecret,
    groupsClaim: config.oidcGroupsClaim,
    allowHttp: config.oidcAllowHttp === 'on',
  });
  return { provider, roleOfGroup: parseGroupRoles(oidcRoles), name: oidcName, redirectUrl: publicUrl + callbackPath };
}

/**
 * @param text "group=role,group2=role"; separated by semicolons where there is one, as names in directories have commas
 * @throws AppError invalid
 */
export function parseGroupRoles(text: string): Map<string, UserRole> {
  const roleOfGroup = new Map<string, UserRole>();
  for (const part of text.split(text.includes(';') ? ';' : ',')) {
    if (part.trim() === '') continue;
    const equals = part.lastIndexOf('=');
    const group = part.slice(0, Math.max(0, equals)).trim();
    const role = userRoles.find((role) => role === part.slice(equals + 1).trim());
    if (group === '' || !role) {
      throw new AppError(
        'invalid',
        `oidc_roles: '${part.trim().slice(0, 100)}' is not GROUP=ROLE.`,
        `Write it as ml-admins=administrator,staff=viewer. The roles are ${userRoles.join(', ')}.`,
      );
    }
    roleOfGroup.set(group, role);
  }
  return roleOfGroup;
}

export function ssoRoutes(context: AdminContext): AdminRoute[] {
  const { access, singleSignOn } = context;
  if (!singleSignOn) return [];
  const { provider, roleOfGroup, redirectUrl } = singleSignOn;
  const seal = new Seal<Kept>();
  const secure = redirectUrl.startsWith('https:') ? '; Secure' : '';
  // Lax: the browser comes back from another site.
  const cookieOf = (text: string, lifeS: number) =>
    `${cookieName}=${text}; Path=/sign-in; HttpOnly; SameSite=Lax; Max-Age=${lifeS}${secure}`;
  const ended = cookieOf('', 0);

  async function begin({ url }: Visit): Promise<Response> {
    const { url: there, pending } = await provider.begin(redirectUrl);
    const next = ownPath(url.searchParams.get('next') ?? undefined, '/admin');
    return seeOther(there, undefined, [cookieOf(seal.close({ pending, next }, lifeMs), lifeMs / 1000)]);
  }

  async function finish(visit: Visit): Promise<Response> {
    const kept = seal.open(cookiesOf(visit.request).get(cookieName) ?? '');
    if (!kept) {
      const hint = 'Begin the sign-in again, under the address that the administrator gave you.';
      throw new AppError('unauthenticated', 'This sign-in is too old, or was begun in another browser.', hint);
    }
    const identity = await identify(visit, kept.pending);
    const before = access.signIn.findLinked(identity);
    const user = access.signIn.withIdentity(identity, roleOfGroup, visit.asker.address);
    if (before?.role !== user.role) {
      access.audit.record({
        actor: { kind: 'user', id: user.id, name: user.name, role: user.role },
        action: before ? 'changeUser' : 'createUser',
        target: user.name,
        result: 'ok',
        from: visit.asker.address,
        requestId: visit.requestId,
        before: before && { role: before.role },
        after: { role: user.role },
      });
    }
    const entered = startSession(context, visit, { user: user.id, way: 'oidc', path: kept.next });
    entered.headers.append('set-cookie', ended);
    return entered;
  }

  async function identify({ url, asker: { address } }: Visit, pending: PendingSignOn) {
    try {
      return await provider.finish(url.href, pending);
    } catch (error) {
      const isRefused = error instanceof AppError && error.code === 'unauthenticated';
      // Who it was is not known: that is what the provider was to say.
      if (isRefused) access.signOns.record({ name: '?', address, way: 'oidc', result: 'refused' });
      throw error;
    }
  }

  /** The sign-in page, with what to do. */
  function refuse(visit: Visit, error: unknown): Response {
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
    const { code, message, hint = '' } = error;
    const page = signInPage(context, visit, { values: {}, errors: { '': `${message} ${hint}`.trim() } });
    const response = pageOf(page, statusOf[code]);
    response.headers.append('set-cookie', ended);
    return response;
  }

  const route = (path: string, work: (visit: Visit) => Promise<Response>): AdminRoute => ({
    method: 'GET',
    path,
    action: 'public',
    async answer(visit) {
      // Until the first administrator has come by the link, nobody comes by another way.
      if (!access.setup.isSetUp()) return seeOther('/setup');
      if (visit.asker.actor.kind === 'user') return seeOther('/admin');
      try {
        return await work(visit);
      } catch (error) {
        return refuse(visit, error);
      }
    },
  });

  return [route('/sign-in/sso', begin), route(callbackPath, finish)];
}
