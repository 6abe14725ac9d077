// Who is asking: from the socket, a key, a session's cookie or the network that a request comes from. Decides nothing of
// what that one may do; access/roles.ts has that.
import type { Access } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { forgetOriginMs } from '../access/known-origins.ts';
import { clientAddress, type Networks } from '../access/networks.ts';
import type { FoundSession } from '../access/sessions.ts';
import { AppError } from '../error.ts';

/** How a request came in. */
export interface Peer {
  /** Undefined: over the unix socket, which only this machine's administrator may open. */
  address: string | undefined;
  isSecure: boolean;
}

export interface Asker {
  actor: Actor;
  /** Of the client, behind any trusted proxies; "socket" for the unix socket. */
  address: string;
  isSecure: boolean;
  session?: FoundSession;
  /** To be sent with the answer when the session's token was renewed. */
  cookie?: string;
}

export interface GateOptions {
  access: Access;
  /** Where models may be called without a key. */
  openTo: Networks;
  trustedProxies: Networks;
}

export const sessionCookie = 'aimass_session';
/** By which a browser shows that somebody signed in with it before. */
const deviceCookie = 'aimass_device';
/** Header, and name of the form field, that carries the token against forged requests. */
export const formTokenHeader = 'x-csrf-token';
export const formTokenField = 'csrf';

/** What somebody may do who must choose another password first. */
const ownAffairs = /^\/api\/v1\/(account\/password|session)$/;

const system: Actor = { kind: 'system', name: 'socket' };
const guest: Actor = { kind: 'guest', name: 'guest' };
const nobody: Actor = { kind: 'nobody' };
const localAsker: Asker = { actor: system, address: 'socket', isSecure: true };
const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

export class Gate {
  constructor(private readonly options: GateOptions) {}

  /**
   * @throws AppError unauthenticated for a key that is not valid, throttled for one that is used up, forbidden for a
   *   cookie without the token that shows that the request came from our own page
   */
  identify(request: Request, peer: Peer, pathname: string): Asker {
    if (peer.address === undefined) return localAsker;
    const { headers } = request;
    const { access, openTo } = this.options;
    const isSecure = this.isSecure(headers, peer);
    const whence = { address: this.addressOf(headers, peer.address), isSecure };
    const keyActor = this.findKeyActor(headers);
    if (keyActor) return { actor: keyActor, ...whence };
    const cookie = headers.get('cookie');
    const token = cookie === null ? undefined : findCookie(cookie, sessionCookie);
    const session = token === undefined ? undefined : this.findSession(token, isSecure);
    if (session) {
      if (!isPage(pathname)) {
        if (!harmless.has(request.method)) this.checkToken(headers.get(formTokenHeader), session);
        if (session.mustChangePassword && !ownAffairs.test(pathname)) throw passwordFirst();
      }
      const renewed = session.renewed && sessionCookieText(session.renewed, isSecure);
      return { actor: session.actor, ...whence, session, ...(renewed && { cookie: renewed }) };
    }
    // Until somebody owns the appliance nothing of it is open to others.
    if (openTo.has(whence.address) && access.setup.isSetUp()) return { actor: guest, ...whence };
    return { actor: nobody, ...whence };
  }

  /**
   * Without asking for the address, which costs more than all the rest for a key that is known.
   * @throws AppError unauthenticated, throttled
   */
  findKeyActor(headers: Headers): Actor | undefined {
    const key = keyOf(headers);
    return key === undefined ? undefined : this.admit(key);
  }

  /** One that was opened in the clear ends where TLS has come: its token may have been overheard. */
  private findSession(token: string, isSecure: boolean): FoundSession | undefined {
    const { sessions } = this.options.access;
    const found = sessions.find(token);
    if (!found || found.isSecure || !isSecure) return found;
    sessions.revoke(found.session.id);
    return undefined;
  }

  addressOf(headers: Headers, peer: string): string {
    const { trustedProxies } = this.options;
    return trustedProxies.isEmpty ? peer : clientAddress(peer, headers.get('x-forwarded-for'), trustedProxies);
  }

  /** Whether the client came by TLS, to us or to a trusted proxy that says so. */
  isSecure(headers: Headers, { address, isSecure }: Peer): boolean {
    const { trustedProxies } = this.options;
    if (isSecure || trustedProxies.isEmpty || address === undefined || !trustedProxies.has(address)) return isSecure;
    return /^\s*https\s*(,|$)/i.test(headers.get('x-forwarded-proto') ?? '');
  }

  /** @throws AppError forbidden. Forms carry the token in a field: their handlers check that with `isFormToken`. */
  private checkToken(token: string | null, session: FoundSession): void {
    if (token !== null && this.isFormToken(token, session)) return;
    throw new AppError(
      'forbidden',
      'This request does not show that it came from a page of this server.',
      'Reload the page and try again. Programs use an API key instead of a cookie.',
    );
  }

  isFormToken(token: string, { session }: FoundSession): boolean {
    return this.options.access.formTokens.verify(session.id, token);
  }

  private admit(key: string): Actor {
    const { gate } = this.options.access;
    const actor = gate.authenticate(key);
    const admission = gate.admit(actor);
    if (admission.ok) return actor;
    const { why, retryAfterS } = admission;
    const message =
      why === 'rate' ? 'This API key sends requests too quickly.' : "This API key's quota of today is used up.";
    throw new AppError('throttled', message, `Try again in ${retryAfterS} s.`, retryAfterS);
  }
}

/** Pages look at the form's own field, and lead to the password by themselves. */
function isPage(pathname: string): boolean {
  return !/^\/(?:(?:api|v1|v2|docs|openapi)(?:\/|$)|metrics$)/.test(pathname);
}

function passwordFirst(): AppError {
  return new AppError(
    'forbidden',
    'Choose a new password first.',
    'Sign in to the web pages, or PUT /api/v1/account/password.',
  );
}

function keyOf(headers: Headers): string | undefined {
  const authorization = headers.get('authorization');
  if (authorization !== null) {
    const bearer = /^bearer\s+(\S+)\s*$/i.exec(authorization)?.[1];
    if (bearer !== undefined) return bearer;
  }
  return headers.get('x-api-key') ?? undefined;
}

function findCookie(text: string, name: string): string | undefined {
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim();
  }
  return undefined;
}

/** What a browser was given by `deviceCookieText`, if it was; anything may be in it. */
export function findDevice({ headers }: Request): string | undefined {
  return findCookie(headers.get('cookie') ?? '', deviceCookie);
}

export function deviceCookieText(device: string, isSecure: boolean): string {
  return cookieText(deviceCookie, device, forgetOriginMs / 1000, isSecure);
}

export function sessionCookieText(token: string, isSecure: boolean): string {
  // Its life is the session's, which the server knows.
  return cookieText(sessionCookie, token, 7 * 24 * 3600, isSecure);
}

function cookieText(name: string, value: string, maxAgeS: number, isSecure: boolean): string {
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeS}${isSecure ? '; Secure' : ''}`;
}

export function endedCookieText(): string {
  return `${sessionCookie}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;
}
