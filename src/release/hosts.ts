// Host names of endpoints: their own, and those of the wildcard. Pure.
import type { EndpointRow } from './release-rows.ts';

/**
 * Endpoint by host name; an endpoint's own name wins over one of the wildcard.
 * @param isOwn the server's own name, under which all of it is reached, is nobody else's
 */
export function hostsOf(
  endpoints: readonly EndpointRow[],
  wildcard: string,
  isOwn: (host: string) => boolean = () => false,
): Map<string, string> {
  const hosts = new Map<string, string>();
  for (const { name, domain } of endpoints) {
    if (domain !== null && !isOwn(domain)) hosts.set(domain, name);
  }
  if (wildcard === '') return hosts;
  for (const { name } of endpoints) {
    const host = `${labelOf(name)}.${wildcard}`;
    if (!hosts.has(host) && !isOwn(host)) hosts.set(host, name);
  }
  return hosts;
}

/** Host names know neither case nor underscores, and a dot would be a level of its own. */
export function labelOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
}
