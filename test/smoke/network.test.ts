// The appliance speaks to nobody on its own: traced system calls while it loads and computes, and a run in a network
// namespace where there is nobody to speak to.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';

import { smallCnn } from '../support/graphs.ts';
import { Appliance, discard, unpack } from './appliance.ts';

const works = (...command: string[]) => Bun.which(command[0]!) !== null && Bun.spawnSync(command).exitCode === 0;
const canTrace = works('strace', '-o', '/dev/null', 'true');
const canIsolate = works('unshare', '-n', 'ip', 'link', 'set', 'lo', 'up');

let home: string;

beforeAll(async () => {
  home = await unpack();
  await Bun.write(join(home, 'cnn.onnx'), smallCnn());
});

afterAll(() => discard(home));

const request = JSON.stringify({
  inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data: Array.from({ length: 784 }, () => 1) }],
});

/** Everything through the unix socket, so that it also works from outside the namespace. */
async function useIt(appliance: Appliance): Promise<void> {
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  await appliance.command('install', 'face-detection', 'faces');
  const unix = join(appliance.data, 'aimass.sock');
  for (let count = 0; count < 20; count++) {
    const response = await fetch('http://localhost/v2/models/cnn/infer', { unix, method: 'POST', body: request });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }
}

/** Internet addresses other than this machine's own that a trace line names. */
function foreignAddresses(line: string): string[] {
  const addresses = [...line.matchAll(/inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/g)];
  return addresses.map(([, v4, v6]) => v4 ?? v6!).filter((address) => !/^(?:127\.|::1$|::ffff:127\.)/.test(address));
}

test.skipIf(!canTrace)('no process connects or sends to another machine (needs strace)', async () => {
  const trace = join(home, 'trace');
  const data = join(home, 'traced');
  const wrapper = ['strace', '-f', '-qq', '-e', 'trace=network', '-o', trace];
  const appliance = await Appliance.start({ home, data, wrapper });
  await useIt(appliance);
  expect((await appliance.fetch('/v2/health/ready')).status).toBe(200);
  // The child here is strace; the server is its child.
  const pid = (await Bun.file(`/proc/${appliance.pid}/task/${appliance.pid}/children`).text()).split(' ')[0];
  process.kill(Number(pid), 'SIGTERM');
  expect(await appliance.child.exited).toBe(0);

  const lines = (await Bun.file(trace).text()).split('\n');
  expect(lines.some((line) => /\bbind\(.*inet_addr\("127\.0\.0\.1"\)/.test(line))).toBeTrue();
  expect(lines.filter((line) => foreignAddresses(line).length > 0)).toEqual([]);
  expect(lines.filter((line) => /\bconnect\(.*sa_family=AF_(?!UNIX|INET)/.test(line))).toEqual([]);
});

test('the trace reader tells our own machine from others', () => {
  expect(
    foreignAddresses('connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, 16)'),
  ).toEqual(['10.0.0.2']);
  expect(
    foreignAddresses('connect(3, {sa_family=AF_INET6, inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}, 28)'),
  ).toEqual(['2001:db8::1']);
  expect(foreignAddresses('connect(3, {sa_family=AF_INET, sin_addr=inet_addr("127.0.0.1")}, 16)')).toEqual([]);
  expect(foreignAddresses('connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110)')).toEqual([]);
});

test.skipIf(!canIsolate)('works where there is no network (needs unshare and ip)', async () => {
  const wrapper = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
  const appliance = await Appliance.start({ home, data: join(home, 'isolated'), wrapper });
  await useIt(appliance);
  expect(await appliance.stop()).toBe(0);
});

test('over TLS the same answers come, and a connection that is only kept open does not hold up its end', async () => {
  const appliance = await Appliance.start({ home, data: join(home, 'tls'), args: ['--tls', 'self-signed'] });
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  const key = await appliance.openToPrograms();
  const ca = await Bun.file(join(appliance.data, 'tls/self-signed.crt')).text();
  const ask = (path: string, init: RequestInit) =>
    fetch(appliance.url + path, { ...init, headers: { 'x-api-key': key }, tls: { ca } });
  expect((await ask('/v2/models/cnn/infer', { method: 'POST', body: request })).status).toBe(200);
  expect((await ask('/api/v1/models', {})).status).toBe(200);
  const startedMs = performance.now();
  expect(await appliance.stop()).toBe(0);
  console.log(`stopped after ${(performance.now() - startedMs).toFixed(0)} ms with a connection open`);
});
