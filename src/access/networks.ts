// Addresses and ranges of addresses, IPv4 and IPv6: which network is open for inference, which proxies are trusted, and
// who the client behind them is. Pure.
import { BlockList, isIP } from 'node:net';

import { AppError } from '../error.ts';

export interface Networks {
  readonly isEmpty: boolean;
  /** @param address in any form; false for what is no address */
  has(address: string): boolean;
}

const mostRanges = 1000;
/** Longest chain of proxies that is looked at. */
const mostHops = 32;

/** @param ranges each an address or "ADDRESS/BITS". @throws AppError invalid, naming the one that is wrong */
export function parseNetworks(ranges: readonly string[]): Networks {
  if (ranges.length > mostRanges) throw new AppError('invalid', `More than ${mostRanges} networks.`);
  const list = new BlockList();
  for (const range of ranges) addRange(list, range);
  return {
    isEmpty: ranges.length === 0,
    has(address) {
      const plain = findAddress(address);
      return plain !== undefined && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

function addRange(list: BlockList, range: string): void {
  const [, text = '', bits] = /^([^/]{1,64})(?:\/(\d{1,3}))?$/.exec(range.trim()) ?? [];
  const kind = isIP(text);
  const most = kind === 6 ? 128 : 32;
  if (kind === 0 || Number(bits ?? most) > most) {
    throw new AppError(
      'invalid',
      `'${range.slice(0, 80)}' is no network.`,
      "Write an address or a range, such as '10.1.0.0/16' or 'fd00:1::/32'.",
    );
  }
  const address = findAddress(text)!;
  // What is IPv4 inside IPv6 is matched as IPv4; a wider range than all of IPv4 has no other meaning than IPv6.
  const isMapped = kind === 6 && isIP(address) === 4 && Number(bits ?? 128) >= 96;
  const prefix = Number(bits ?? most) - (isMapped ? 96 : 0);
  if (isIP(address) === 6) list.addSubnet(address, prefix, 'ipv6');
  else if (kind === 4 || isMapped) list.addSubnet(address, prefix, 'ipv4');
  else list.addSubnet('::', prefix, 'ipv6');
}

/**
 * @param text with or without a port, brackets or a zone
 * @returns the address in its shortest form, IPv4 also where it came mapped into IPv6; undefined if it is none
 */
export function findAddress(text: string): string | undefined {
  if (text.length > 80) return undefined;
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/%[\w.-]*$/, '');
  const kind = isIP(address);
  if (kind !== 6) return kind === 4 ? address : undefined;
  const groups = groupsOf(address);
  const [high, low] = [groups[6]!, groups[7]!];
  const isMapped = groups.slice(0, 6).join() === '0,0,0,0,0,65535';
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  return new URL(`http://[${hexOf(groups).join(':')}]/`).hostname.slice(1, -1);
}

/** @param address IPv6 in any form. @returns its eight numbers of 16 bits */
function groupsOf(address: string): number[] {
  const [head, tail] = address.split('::').map((part) => part.split(':').flatMap(numbersOf));
  if (!tail) return head!;
  return [...head!, ...Array<number>(8 - head!.length - tail.length).fill(0), ...tail];
}

function numbersOf(group: string): number[] {
  if (!group.includes('.')) return group === '' ? [] : [parseInt(group, 16)];
  const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number];
  return [a * 256 + b, c * 256 + d];
}

const hexOf = (groups: readonly number[]) => groups.map((group) => group.toString(16));

/** What one person can be thought to have: an IPv4 address, or the /64 of an IPv6 address. */
export function addressBlock(text: string): string {
  const address = findAddress(text);
  if (address === undefined) return 'unknown';
  return isIP(address) === 4 ? address : `${hexOf(groupsOf(address).slice(0, 4)).join(':')}::/64`;
}

/**
 * Who sent a request, as far as that can be known: from the right, each address that a trusted proxy vouches for.
 * @param peer address of the connection
 * @param forwardedFor the header X-Forwarded-For; several are joined by commas
 */
export function clientAddress(peer: string, forwardedFor: string | null, trusted: Networks): string {
  let address = findAddress(peer) ?? peer;
  if (forwardedFor === null || trusted.isEmpty) return address;
  const hops = forwardedFor.slice(-4096).split(',').slice(-mostHops);
  while (trusted.has(address)) {
    const next = findAddress(hops.pop()?.trim() ?? '');
    if (next === undefined) break;
    address = next;
  }
  return address;
}

/** @param text as settings have them, with commas between. @throws AppError invalid */
export function networksOf(text: string): Networks {
  return parseNetworks(
    text
      .split(',')
      .map((range) => range.trim())
      .filter(Boolean),
  );
}
