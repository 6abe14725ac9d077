// What the commands say without a server: help, settings, wrong usage and the exit codes.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

import { commands } from '../../src/cli/commands.ts';
import type { Config, LoadedConfig } from '../../src/config.ts';
import { version } from '../../src/version.ts';
import { aimass } from './command-line.ts';

const nowhere = ['--data', '/nonexistent/aimass'];

test('help lists every command, and explains each', async () => {
  const overview = await aimass([]);
  expect(overview).toMatchObject({ code: 0, err: '' });
  for (const { name, summary, options } of commands) {
    expect(overview.out).toContain(summary);
    const [asked, flagged] = await Promise.all([aimass(['help', name]), aimass([name, '--help'])]);
    expect(asked).toEqual(flagged);
    expect(asked.code).toBe(0);
    expect(asked.out).toContain(`Usage: aimass ${name}`);
    for (const option of options) expect(asked.out).toContain(`--${option.name}`);
  }
  expect(await aimass(['--help'])).toEqual(overview);
});

test('the commands that the README shows exist', async () => {
  const readme = await Bun.file(join(import.meta.dir, '../../README.md')).text();
  const lines = readme.matchAll(/^aimass (.*?)(?:\s*#.*)?$/gm).flatMap(([, text]) => text!.split(' | '));
  const verbs = [...lines].map((line) => line.split(' ')[0]!);
  expect(verbs.length).toBeGreaterThan(5);
  const known = commands.flatMap(({ name, alias }) => [name, alias]);
  expect(verbs.filter((verb) => !known.includes(verb))).toEqual([]);
});

test.each([
  [['modles'], "did you mean 'models'"],
  [['serve', '--lisen', '127.0.0.1:0'], "did you mean 'listen'"],
  [['rm', 'faces', '--yess'], "did you mean 'yes'"],
  [['--json', 'models'], 'command comes first'],
  [['rm'], 'needs NAME[:VERSION]'],
  [['show', 'a', 'b'], "'b' is one word too many"],
  [['show', 'a:0'], 'not NAME or NAME:VERSION'],
  [['show', 'a:b'], 'not NAME or NAME:VERSION'],
  [['push', 'a', 'b.onnx', '--manifest'], '--manifest needs a value'],
  [['models', '--listen', '127.0.0.1:1'], 'a setting of the server'],
  [['serve', '--key', 'x'], 'for the commands that talk to a server'],
  [['models', '--json=yes'], 'takes no value'],
  [['models', '--server', 'gpu-box'], 'is not a URL'],
  [['push', 'a', '/nonexistent/model.onnx'], 'cannot be read'],
  [['predict', 'a', '/nonexistent/photo.jpg'], 'cannot be read'],
])('wrong usage: aimass %p', async (argv, message) => {
  const { code, out, err } = await aimass(argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
});

test('after -- words are operands', async () => {
  expect((await aimass(['show', '--', '--json', '--yes'])).err).toContain("'--yes' is one word too many");
});

test('a server that is not there', async () => {
  const local = await aimass(['models', ...nowhere]);
  expect(local).toMatchObject({ code: 3, out: '' });
  expect(local.err).toContain('aimass serve');
  const closed = Bun.serve({ port: 0, fetch: () => new Response() });
  const url = closed.url.origin;
  await closed.stop(true);
  expect(await aimass(['models', '--server', url])).toMatchObject({ code: 3, err: expect.stringContaining(url) });
});

test('something else than AI Mass at the address', async () => {
  using other = Bun.serve({ port: 0, fetch: () => new Response('<h1>Bad gateway</h1>', { status: 502 }) });
  const { code, err } = await aimass(['models', '--server', other.url.origin]);
  expect(code).toBe(3);
  expect(err).toContain('not as AI Mass does');
});

test('the key goes to the server that was named, and nowhere else', async () => {
  const keys: (string | null)[] = [];
  const receive = (request: Request) => void keys.push(request.headers.get('authorization'));
  using thief = Bun.serve({ port: 0, fetch: (request) => (receive(request), Response.json({ models: [] })) });
  using server = Bun.serve({
    port: 0,
    fetch: (request) => (receive(request), Response.redirect(`${thief.url.origin}/api/v1/models`)),
  });
  const env = { AIMASS_SERVER: server.url.origin, AIMASS_KEY: 'secret' };
  expect((await aimass(['models'], { env })).code).toBe(3);
  expect(keys).toEqual(['Bearer secret']);
});

test('errors are JSON for programs', async () => {
  const { code, out, err } = await aimass(['models', '--json', ...nowhere]);
  expect({ code, out }).toEqual({ code: 3, out: '' });
  expect(JSON.parse(err)).toMatchObject({ error: { code: 'unavailable', hint: expect.any(String) } });
});

test('config says where each value comes from, and keeps the key to itself', async () => {
  const env = { AIMASS_KEY: 'secret-1', AIMASS_THREADS: '3' };
  const text = await aimass(['config', '--listen', '0.0.0.0:99', ...nowhere], { env });
  expect(text.out).toMatch(/^listen +0\.0\.0\.0:99 +--listen$/m);
  expect(text.out).toMatch(/^threads +3 +AIMASS_THREADS$/m);
  expect(text.out).toMatch(/^request_timeout_ms +60s +default$/m);
  const json = await aimass(['config', '--json'], { env });
  expect(JSON.parse(json.out)).toMatchObject({ settings: { threads: { value: 3, source: 'variable' } } });
  expect(text.out + json.out).not.toContain('secret-1');
});

test('serve hands over the settings, and gives back the exit code', async () => {
  const given: Config[] = [];
  const serve = async ({ config }: LoadedConfig) => (given.push(config), 7);
  const { code } = await aimass(['serve', '--listen=0.0.0.0:1', '--drain-timeout-ms', '5s', ...nowhere], { serve });
  expect(code).toBe(7);
  expect(given).toMatchObject([{ listen: '0.0.0.0:1', drainTimeoutMs: 5000, data: '/nonexistent/aimass' }]);
});

test('version', async () => {
  expect(await aimass(['version'])).toEqual({ code: 0, out: `aimass ${version}\n`, err: '' });
  expect(JSON.parse((await aimass(['--version', '--json'])).out)).toEqual({ version });
});

test('help and version load neither the server nor the inference rooms', async () => {
  const script = `
    const { runCli } = await import('./src/cli/cli.ts');
    await runCli([process.argv[1]], { serve: async () => 0 });
    console.error(Object.keys(require.cache).filter((path) => /elysia|onnxruntime|src.(inference|registry|http|app)/.test(path)));`;
  for (const verb of ['help', 'version']) {
    const cwd = join(import.meta.dir, '../..');
    const child = Bun.spawnSync([process.execPath, '-e', script, verb], { cwd, env: {} });
    expect({ code: child.exitCode, loaded: child.stderr.toString().trim() }).toEqual({ code: 0, loaded: '[]' });
  }
});
