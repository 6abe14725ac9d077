// Single sign-on by OpenID Connect: the code flow with PKCE, state and nonce, as openid-client does it. Says who somebody
// is for the provider; knows neither our users nor how a browser is sent about.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';

import { AppError, messageOf } from '../error.ts';
import type { Identity } from './sign-in.ts';

export interface OidcSettings {
  issuer: string;
  clientId: string;
  /** Secret; "" for a public client. */
  clientSecret: string;
  /** Claim that lists a user's groups. */
  groupsClaim?: string;
  /** Lets the issuer be without TLS: the code and the tokens can then be read on the way. */
  allowHttp?: boolean;
}

/** What has to be kept for this browser, and from others, until it comes back. Plain data. */
export interface PendingSignOn {
  state: string;
  nonce: string;
  verifier: string;
  redirectUrl: string;
}

const timeoutS = 10;
/** How long a provider's description and its keys' addresses are taken to hold. */
const rediscoverMs = 3_600_000;
const mostGroups = 1000;
const longestClaim = 255;

export class Oidc {
  #found: { configuration: Promise<Configuration>; atMs: number } | undefined;

  /** @throws AppError invalid when the issuer is no HTTPS URL */
  constructor(
    private readonly settings: OidcSettings,
    private readonly now: () => number = Date.now,
  ) {
    const url = URL.canParse(settings.issuer) ? new URL(settings.issuer) : undefined;
    const isFine = url?.protocol === 'https:' || (settings.allowHttp && url?.protocol === 'http:');
    if (!isFine) throw new AppError('invalid', 'The issuer of single sign-on must be a URL that begins with https://.');
  }

  /**
   * @param redirectUrl where the provider sends the browser back to; it must be registered there
   * @returns `url`: where to send the browser now
   * @throws AppError unavailable when the provider does not answer
   */
  async begin(redirectUrl: string): Promise<{ url: string; pending: PendingSignOn }> {
    const configuration = await this.#configuration();
    const pending = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier(), redirectUrl };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUrl,
      scope: this.#scopes(configuration).join(' '),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, pending };
  }

  /**
   * @param callbackUrl that the browser came back to; only its query counts
   * @param pending as `begin` gave it, to be used once
   * @throws AppError unauthenticated when the provider did not confirm or the answer does not hold, unavailable when it
   * does not answer
   */
  async finish(callbackUrl: string, pending: PendingSignOn): Promise<Identity> {
    const configuration = await this.#configuration();
    const url = new URL(pending.redirectUrl);
    url.search = URL.canParse(callbackUrl, pending.redirectUrl) ? new URL(callbackUrl, pending.redirectUrl).search : '';
    try {
      const tokens = await authorizationCodeGrant(configuration, url, {
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.verifier,
        idTokenExpected: true,
      });
      const idToken = tokens.claims()!;
      const { userinfo_endpoint: userInfoUrl } = configuration.serverMetadata();
      // Many providers keep the ID token small and tell the rest on request.
      const asks = userInfoUrl !== undefined && this.#isOfIssuer(userInfoUrl);
      const more = asks ? await fetchUserInfo(configuration, tokens.access_token, idToken.sub) : {};
      return identityOf({ ...more, ...idToken }, this.#groupsClaim);
    } catch (error) {
      throw refusal(error);
    }
  }

  async #configuration(): Promise<Configuration> {
    if (!this.#found || this.now() > this.#found.atMs + rediscoverMs) {
      this.#found = { configuration: this.#discover(), atMs: this.now() };
    }
    const found = this.#found;
    try {
      return await found.configuration;
    } catch (error) {
      // The next one asks again.
      if (this.#found === found) this.#found = undefined;
      throw new AppError(
        'unavailable',
        `The single sign-on provider ${this.settings.issuer} does not answer as it should: ${causeOf(error)}`,
        'Check the issuer in the settings, and that this machine can reach it and trusts its certificate.',
      );
    }
  }

  get #groupsClaim(): string {
    return this.settings.groupsClaim ?? 'groups';
  }

  /** Some providers tell the groups only when asked for a scope of that name. */
  #scopes(configuration: Configuration): string[] {
    const known = configuration.serverMetadata().scopes_supported ?? [];
    return ['openid', 'profile', 'email', ...known.filter((scope) => scope === this.#groupsClaim)];
  }

  /** This machine connects to the issuer alone, whatever addresses the issuer names. */
  #isOfIssuer(url: string): boolean {
    return URL.parse(url)?.origin === new URL(this.settings.issuer).origin;
  }

  async #discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret, allowHttp } = this.settings;
    // The ID token's signature is checked too, not only that it came straight from the provider.
    const execute = [enableNonRepudiationChecks, ...(allowHttp ? [allowInsecureRequests] : [])];
    const options = { execute, timeout: timeoutS };
    const found = await discovery(new URL(issuer), clientId, clientSecret || undefined, undefined, options);
    const { token_endpoint: tokens = '', jwks_uri: keys = '' } = found.serverMetadata();
    const foreign = [tokens, keys].find((url) => !this.#isOfIssuer(url));
    if (foreign === undefined) return found;
    throw new Error(`it sends this machine on to '${foreign.slice(0, 200)}', which is not of the issuer`);
  }
}

function identityOf(claims: { iss: string; sub: string; [claim: string]: unknown }, groupsClaim: string): Identity {
  const text = (claim: string) => {
    const value = claims[claim];
    return typeof value === 'string' && value !== '' ? value.slice(0, longestClaim) : undefined;
  };
  const groups = claims[groupsClaim];
  return {
    issuer: claims.iss,
    subject: claims.sub,
    name: text('preferred_username') ?? text('name') ?? text('email') ?? claims.sub,
    email: text('email'),
    groups: (Array.isArray(groups) ? groups : [groups])
      .filter((group): group is string => typeof group === 'string')
      .slice(0, mostGroups),
  };
}

/** The library's errors say what did not hold; what is not this person's fault is told apart. */
function refusal(error: unknown): AppError {
  if (error instanceof AuthorizationResponseError) {
    const why = error.error_description ?? error.error;
    return new AppError(
      'unauthenticated',
      `The single sign-on provider refused: ${why.slice(0, 200).replaceAll(/\p{C}/gu, ' ')}`,
      'Sign in again, or ask whoever runs the provider.',
    );
  }
  const isChallenge = error instanceof WWWAuthenticateChallengeError;
  if (isChallenge || (error instanceof ResponseBodyError && error.error !== 'invalid_grant')) {
    const why = isChallenge ? `status ${error.status}` : (error.error_description ?? error.error);
    return new AppError(
      'unavailable',
      `The single sign-on provider refused this appliance: ${why.slice(0, 200).replaceAll(/\p{C}/gu, ' ')}`,
      'Check the client id and secret in the settings.',
    );
  }
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !code.startsWith('OAUTH_') || code === 'OAUTH_TIMEOUT') {
    return new AppError('unavailable', `The single sign-on provider did not answer: ${causeOf(error)}`, 'Try again.');
  }
  return new AppError(
    'unauthenticated',
    `The single sign-on provider's answer does not hold: ${causeOf(error)}`,
    'Begin the sign-in again.',
  );
}

/** With what lies under it, where the library says no more than that it failed. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${messageOf(error)}${cause}`.slice(0, 300);
}
