// Which machine a URL leads to. The host is looked up once, each of its addresses must lie in the networks that a setting
// names, and the connection goes to the very address that was looked at: a name that means another machine a moment later
// leads nowhere else.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

import type { Networks } from '../access/networks.ts';
import { AppError } from '../error.ts';

const longestUrl = 2000;
const mostAddresses = 64;

/** @returns the addresses that a host name stands for. Fails when there is none */
export type Resolve = (host: string) => Promise<string[]>;

export const resolveHost: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Where connections of one kind may lead, and the words for it. */
export interface Reach {
  networks: Networks;
  /** The setting that names the networks, such as "notify_to". */
  setting: string;
  /** What makes the connections, in the plural, such as "webhooks". */
  who: string;
  /** Said while no network is named. */
  off: string;
}

/**
 * @param what it should be the address of, such as "a webhook"
 * @param insteadOfPassword what to do when a name or password stands in it, which would stand in logs
 * @throws AppError invalid
 */
export function parseHttpUrl(text: string, what: string, insteadOfPassword: string): URL {
  const url = text.length <= longestUrl ? URL.parse(text.trim()) : null;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.port === '0' || url.hostname === '') {
    throw new AppError(
      'invalid',
      // What follows a question mark may be a secret.
      `'${text.replace(/[?#].*/s, '').slice(0, 80)}' is no address of ${what}.`,
      "Write it as 'https://host/path' or 'http://host:port/path'.",
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new AppError('invalid', `The address of ${what} must not have a name or password in it.`, insteadOfPassword);
  }
  url.hash = '';
  return url;
}

/** Host of a URL as an address or a name, without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** @throws AppError conflict while no network is named, forbidden for an address outside of them */
export function requireAllowed(
  { networks, setting, who, off }: Reach,
  host: string,
  addresses: readonly string[],
): void {
  if (networks.isEmpty) {
    const hint = `Name it with the setting ${setting}, e.g. 10.1.0.0/16, and start the server again.`;
    throw new AppError('conflict', off, hint);
  }
  const outside = addresses.find((address) => !networks.has(address));
  if (outside === undefined) return;
  const what = isIP(host) ? host : `${host} (${outside})`;
  throw new AppError(
    'forbidden',
    `${what} is in no network that ${who} may reach.`,
    `The setting ${setting} names these networks.`,
  );
}

/** @returns the address to connect to. @throws AppError as `requireAllowed`, unavailable when the name means nothing */
export async function findTarget(url: URL, reach: Reach, resolve: Resolve): Promise<string> {
  const host = hostOf(url);
  // Without networks not even a name is asked for.
  if (reach.networks.isEmpty) requireAllowed(reach, host, []);
  const addresses = isIP(host) ? [host] : await lookUp(host, resolve);
  requireAllowed(reach, host, addresses);
  return addresses[0]!;
}

async function lookUp(host: string, resolve: Resolve): Promise<string[]> {
  let addresses: string[] = [];
  let why = 'no address';
  try {
    addresses = (await resolve(host)).slice(0, mostAddresses);
  } catch (error) {
    why = (error as NodeJS.ErrnoException).code ?? why;
  }
  if (addresses.length > 0) return addresses;
  throw new AppError('unavailable', `The name ${host} cannot be looked up (${why}).`);
}
