import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import fc from 'fast-check';

import { addressBlock, clientAddress, findAddress, parseNetworks } from '../../src/access/networks.ts';
import { AppError } from '../../src/error.ts';

describe('ranges', () => {
  test('match what is in them, IPv4, IPv6 and IPv4 inside IPv6', () => {
    const networks = parseNetworks(['10.1.0.0/16', '192.168.1.7', ' fd00:1::/32 ', '::ffff:172.16.0.0/108', '::1']);
    const inside = ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3', '::FFFF:0a01:0203', '192.168.1.7', '172.31.255.255'];
    const more = ['fd00:1::1', '[fd00:1::1]:443', 'fd00:1:0::1%eth0', '10.1.2.3:55', '::1'];
    const outside = [
      '10.2.0.0',
      '192.168.1.8',
      '172.32.0.0',
      'fd00:2::1',
      '::2',
      '',
      'x',
      '10.1.2',
      '010.1.2.3',
      '10.1.2.3/8',
    ];
    expect([...inside, ...more].filter((address) => !networks.has(address))).toEqual([]);
    expect(outside.filter((address) => networks.has(address))).toEqual([]);
    expect(parseNetworks(['0.0.0.0/0']).has('8.8.8.8')).toBe(true);
    expect(parseNetworks(['0.0.0.0/0']).has('2001:db8::1')).toBe(false);
    expect(parseNetworks(['::/0']).has('2001:db8::1')).toBe(true);
    expect(parseNetworks([])).toMatchObject({ isEmpty: true });
  });

  test('that are none are named', () => {
    for (const range of [
      '',
      'lan',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/-1',
      '10.0.0/8',
      '10.0.0.0/8/8',
      '1.2.3.4/ 8',
      'x'.repeat(1e6),
    ]) {
      expect(() => parseNetworks([range])).toThrow(AppError);
    }
    expect(() => parseNetworks(Array(1001).fill('10.0.0.1'))).toThrow(AppError);
  });

  const python = '/usr/bin/python3';
  test.skipIf(!existsSync(python))("agree with Python's ipaddress, which needs python3", () => {
    const v4 = fc.ipV4();
    const cases = fc
      .sample(
        fc.oneof(
          fc.tuple(fc.tuple(v4, fc.nat(32)), v4),
          fc.tuple(
            fc.tuple(fc.constantFrom('10.1.2.3', '10.1.2.200'), fc.nat(32)),
            fc.constantFrom('10.1.2.7', '10.1.3.9'),
          ),
          fc.tuple(
            fc.tuple(fc.constantFrom('fd00::5:1', '2001:db8::'), fc.nat(128)),
            fc.constantFrom('fd00::5:7', 'fd00:1::', '2001:db8::9'),
          ),
          fc.tuple(fc.tuple(fc.ipV6(), fc.nat(128)), fc.ipV6()),
        ),
        300,
      )
      .map(([[base, bits], address]) => ({ range: `${base}/${bits}`, address }));
    const script = `import ipaddress, json, sys
def has(range, address):
    network, one = ipaddress.ip_network(range, strict=False), ipaddress.ip_address(address)
    return network.version == one.version and one in network
print(json.dumps([has(**case) for case in json.load(sys.stdin)]))`;
    const { stdout, stderr } = Bun.spawnSync([python, '-c', script], { stdin: Buffer.from(JSON.stringify(cases)) });
    expect(stderr.toString()).toBe('');
    const expected = JSON.parse(stdout.toString()) as boolean[];
    // Python keeps what is IPv4 inside IPv6 apart from IPv4.
    const wrong = cases.filter(
      ({ range, address }, i) => !/ffff:/i.test(range + address) && parseNetworks([range]).has(address) !== expected[i],
    );
    expect(wrong).toEqual([]);
    expect(expected.filter(Boolean).length).toBeGreaterThan(20);
  });
});

test('an address is written in one way', () => {
  expect(findAddress('2001:DB8:0:0::1')).toBe('2001:db8::1');
  expect(findAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
  expect(findAddress('[::1]:8080')).toBe('::1');
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.4.5', '[::1', '::1]', '1.2.3.4:port', 'x'.repeat(1e6)]) {
    expect(findAddress(text)).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const once = findAddress(address)!;
      expect(findAddress(once)).toBe(once);
    }),
  );
});

test('the block of an address is what one person has', () => {
  expect(addressBlock('10.0.0.7')).toBe('10.0.0.7');
  expect(addressBlock('::ffff:10.0.0.7')).toBe('10.0.0.7');
  expect(addressBlock('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(addressBlock('2001:db8::6')).toBe('2001:db8:0:0::/64');
  expect(addressBlock('::1')).toBe('0:0:0:0::/64');
  expect(addressBlock('socket')).toBe('unknown');
});

describe('behind proxies', () => {
  const trusted = parseNetworks(['10.0.0.0/8', '::1']);
  const from = (peer: string, header: string | null) => clientAddress(peer, header, trusted);

  test('the client is the last address that a trusted proxy vouches for', () => {
    expect(from('10.0.0.1', '203.0.113.9')).toBe('203.0.113.9');
    expect(from('::ffff:10.0.0.1', '203.0.113.9, 10.0.0.2')).toBe('203.0.113.9');
    expect(from('10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2')).toBe('203.0.113.9');
    expect(from('::1', '[2001:db8::5]:1234')).toBe('2001:db8::5');
    expect(from('10.0.0.1', null)).toBe('10.0.0.1');
  });

  test('nobody else can say who they are', () => {
    expect(from('203.0.113.9', '10.0.0.1')).toBe('203.0.113.9');
    expect(from('203.0.113.9', '127.0.0.1, ::1')).toBe('203.0.113.9');
    expect(clientAddress('10.0.0.1', '1.1.1.1', parseNetworks([]))).toBe('10.0.0.1');
    expect(from('10.0.0.1', 'unknown')).toBe('10.0.0.1');
    expect(from('10.0.0.1', '1.1.1.1, <script>')).toBe('10.0.0.1');
    expect(from('10.0.0.1', '1.1.1.1,')).toBe('10.0.0.1');
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (header, client) => {
        fc.pre(!client.startsWith('10.'));
        expect(from('10.0.0.1', `${header},${client}, 10.9.9.9`)).toBe(client);
      }),
    );
  });
});
