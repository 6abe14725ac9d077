// What systemd is told, and that the unit file is one that systemd accepts.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { Appliance, discard, unpack, until } from './appliance.ts';

const python = '/usr/bin/python3';
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True: print(s.recv(4096).decode(), flush=True)
`;

let home: string;

beforeAll(async () => {
  home = await unpack();
});

afterAll(() => discard(home));

test.skipIf(!existsSync(python))('says READY, WATCHDOG and STOPPING (needs python3)', async () => {
  const socket = join(home, 'notify');
  const child = Bun.spawn([python, '-c', listener, socket], { stdout: 'pipe', stderr: 'inherit' });
  let heard = '';
  const hearing = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) heard += decoder.decode(chunk, { stream: true });
  })();
  try {
    await until('the listener', () => heard.includes('listening'));
    const appliance = await Appliance.start({ home, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' } });
    await until('READY=1', () => heard.includes('READY=1'));
    await until('two signs of life', () => heard.split('WATCHDOG=1').length > 2);
    expect(heard).not.toContain('STOPPING=1');
    expect(await appliance.stop()).toBe(0);
    await until('STOPPING=1', () => heard.includes('STOPPING=1'));
  } finally {
    child.kill();
    await hearing;
  }
});

test.skipIf(Bun.which('systemd-analyze') === null)('the unit file is valid (needs systemd-analyze)', async () => {
  const unit = await Bun.file(join(import.meta.dir, '../../systemd/aimass.service')).text();
  const copy = join(home, 'aimass.service');
  // The path of the executable is checked too, and it is not installed here.
  await Bun.write(copy, unit.replaceAll('/usr/local/bin/aimass', join(home, 'aimass')));
  const { exitCode, stderr } = Bun.spawnSync(['systemd-analyze', 'verify', '--man=no', copy]);
  const ours = stderr
    .toString()
    .split('\n')
    .filter((line) => line.includes('aimass'));
  expect({ exitCode, ours }).toEqual({ exitCode: 0, ours: [] });
});
