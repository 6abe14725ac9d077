// Where a webhook may lead. The host is looked up once, each of its addresses must lie in the networks that the setting
// notify_to names, and the connection goes to the very address that was looked at: a name that means another machine a
// moment later leads nowhere else.
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

/** @throws AppError invalid, also for a URL with a password, which would stand in logs */
export function parseTargetUrl(text: string): URL {
  const url = text.length <= longestUrl ? URL.parse(text.trim()) : null;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.port === '0' || url.hostname === '') {
    throw new AppError(
      'invalid',
      `'${text.slice(0, 80)}' is no address of a webhook.`,
      "Write it as 'https://host/path' or 'http://host:port/path'.",
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new AppError(
      'invalid',
      'The address of a webhook must not have a name or password in it.',
      'The receiver knows us by the signature.',
    );
  }
  url.hash = '';
  return url;
}

/** Host of a URL as an address or a name, without brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** @throws AppError conflict while no network is named, forbidden for an address outside of them */
export function requireAllowed(networks: Networks, host: string, addresses: readonly string[]): void {
  if (networks.isEmpty) {
    throw new AppError(
      'conflict',
      'Webhooks are off: no network is named that they may reach.',
      'Name it with the setting notify_to, e.g. 10.1.0.0/16, and start the server again.',
    );
  }
  const outside = addresses.find((address) => !networks.has(address));
  if (outside === undefined) return;
  const what = isIP(host) ? host : `${host} (${outside})`;
  throw new AppError(
    'forbidden',
    `${what} is in no network that webhooks may reach.`,
    'The setting notify_to names these networks.',
  );
}

/** @returns the address to connect to. @throws AppError as `requireAllowed`, unavailable when the name means nothing */
export async function findTarget(url: URL, networks: Networks, resolve: Resolve): Promise<string> {
  const host = hostOf(url);
  // Without networks not even a name is asked for.
  if (networks.isEmpty) requireAllowed(networks, host, []);
  const addresses = isIP(host) ? [host] : await lookUp(host, resolve);
  requireAllowed(networks, host, addresses);
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
