// A real OpenID Connect provider (npm oidc-provider) on a port of its own, and a browser that signs in there. The
// package has no types, so what is used of it is written down here.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;
type ProviderClass = new (issuer: string, settings: object) => { callback(): Listener };

/** As a text that the compiler does not follow: it would not find types. */
const packageName: string = 'oidc-provider';
const { default: Provider } = (await import(packageName)) as { default: ProviderClass };

export interface OidcProvider {
  issuer: string;
  /** Opens the page that `begin` named, signs in and agrees. @returns the URL that the browser is sent back to */
  signIn(url: string, login: string): Promise<string>;
  /** As `signIn`, but the person turns back. */
  refuse(url: string): Promise<string>;
  close(): void;
}

export const clientId = 'aimass';
export const clientSecret = 'a-secret-of-the-test';
export const redirectUrl = 'https://box.test/sign-in/callback';

/** @param groups of each user, by login */
export async function startProvider(groups: Record<string, string[]>): Promise<OidcProvider> {
  let listener: Listener = () => {};
  const server = createServer((request, response) => listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const claims = (sub: string) => ({
    sub,
    preferred_username: sub,
    email: `${sub}@corp.test`,
    groups: groups[sub] ?? [],
  });
  const provider = new Provider(issuer, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUrl] }],
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => claims(sub) }),
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'], email: ['email'] },
    cookies: { keys: ['only for this test'] },
  });
  listener = provider.callback();
  return {
    issuer,
    signIn: (url, login) => walk(url, { login, password: 'any' }),
    refuse: (url) => walk(url, undefined),
    close: () => void server.close(),
  };
}

async function walk(start: string, person: Record<string, string> | undefined): Promise<string> {
  const jar = new Map<string, string>();
  let url = start;
  let body: URLSearchParams | undefined;
  for (let step = 0; step < 15; step++) {
    if (url.startsWith(redirectUrl)) return url;
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(body && { method: 'POST', body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      jar.set(name!, value!);
    }
    const next = response.headers.get('location');
    const page = await response.text();
    body = undefined;
    if (next) {
      url = new URL(next, url).href;
      continue;
    }
    if (!response.ok) throw new Error(`the provider answered ${response.status}: ${page.slice(0, 500)}`);
    if (!person) {
      url = new URL(/href="([^"]*\/abort)"/.exec(page)![1]!, url).href;
      continue;
    }
    const prompt = /name="prompt" value="(\w+)"/.exec(page)![1]!;
    url = new URL(/action="([^"]+)"/.exec(page)![1]!, url).href;
    body = new URLSearchParams({ prompt, ...person });
  }
  throw new Error('the provider sends the browser in circles');
}
