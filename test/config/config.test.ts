// The settings: where they come from, which wins, how their texts are read, and what is refused.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

import { configTable, formatSetting, loadConfig, renderSettingsMarkdown, settingNames } from '../../src/config.ts';
import { AppError } from '../../src/error.ts';
import { findNearest, parseListen } from '../../src/setting-text.ts';

interface Given {
  argv?: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
  isRoot?: boolean;
}

function load({ argv = [], env = {}, files = {}, isRoot = false }: Given = {}) {
  return loadConfig({ argv, env: { HOME: '/home/ann', ...env }, isRoot, readFile: (path) => files[path] });
}

function refusal(given: Given): AppError {
  try {
    load(given);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('a flag wins over a variable, a variable over the file, the file over the default', () => {
  const file = '/d/aimass.toml';
  const files = { [file]: 'max_queue_size = 1\nlisten = "127.0.0.1:1"\nthreads = 1' };
  const env = { AIMASS_DATA: '/d', AIMASS_MAX_QUEUE_SIZE: '2', AIMASS_LISTEN: '127.0.0.1:2' };
  const { config, sources } = load({ argv: ['--listen', '127.0.0.1:3', '--log-level=debug'], env, files });
  expect(config).toMatchObject({ listen: '127.0.0.1:3', maxQueueSize: 2, threads: 1, logLevel: 'debug', config: file });
  expect(config.drainTimeoutMs).toBe(30_000);
  expect(sources).toMatchObject({
    listen: 'flag',
    maxQueueSize: 'variable',
    threads: 'file',
    drainTimeoutMs: 'default',
    data: 'variable',
  });
});

test('the data folder follows from who runs it', () => {
  expect(load().config.data).toBe('/home/ann/.local/share/aimass');
  expect(load({ env: { XDG_DATA_HOME: '/x' } }).config.data).toBe('/x/aimass');
  expect(load({ isRoot: true }).config.data).toBe('/var/lib/aimass');
  expect(load({ isRoot: true, env: { STATE_DIRECTORY: '/var/lib/a:/var/lib/b' } }).config.data).toBe('/var/lib/a');
  expect(load({ argv: ['--data', 'here'] }).config.data).toBe(join(process.cwd(), 'here'));
  expect(load({ argv: ['--config', '/e.toml'], files: { '/e.toml': 'data = "/f"' } }).config.data).toBe('/f');
});

test.each([
  [['--lisen', 'x'], "did you mean 'listen'?"],
  [['--max-queue-sise=4'], "did you mean 'max-queue-size'?"],
  [['--listen'], '--listen needs a value'],
  [['--listen', 'nowhere'], '--listen:'],
  [['--listen', '127.0.0.1:70000'], '--listen:'],
  [['--threads', '-1'], '--threads:'],
  [['--threads', '1.5'], '--threads:'],
  [['--log-level', 'inof'], "did you mean 'info'?"],
  [['--drain-timeout-ms', '5 fortnights'], '--drain-timeout-ms:'],
  [['--max-body-bytes', '1e3'], '--max-body-bytes:'],
  [['--max-body-bytes', '9999999999TiB'], '--max-body-bytes:'],
  [['--server', 'ftp://x'], '--server:'],
  [['--config', '/absent.toml'], '/absent.toml does not exist'],
])('refuses %p', (argv, text) => {
  expect(refusal({ argv })).toMatchObject({ code: 'invalid', message: expect.stringContaining(text) });
});

test('refuses unknown variables and keys, and values that are no text', () => {
  expect(refusal({ env: { AIMASS_LISTN: 'x' } }).message).toContain("did you mean 'AIMASS_LISTEN'?");
  const refuse = (text: string) => refusal({ argv: ['--config', '/c'], files: { '/c': text } }).message;
  expect(refuse('max_quue_size = 3')).toContain("did you mean 'max_queue_size'?");
  expect(refuse('threads = [1]')).toContain('threads in /c must be text or a number');
  expect(refuse('threads = ')).toContain('/c is not valid TOML');
  expect(refuse('config = "/other"')).toContain('it names that file');
  expect(refuse('threads = -3')).toContain('threads:');
  // Names that objects have anyway are no settings either.
  expect(refusal({ argv: ['--constructor', 'x'] }).message).toContain('unknown setting');
  expect(refuse('__proto__ = "x"')).toContain('unknown setting');
});

test.each([
  ['500', 500],
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5 m', 90_000],
  ['1h', 3_600_000],
])('reads the time %p', (text, ms) => {
  expect(load({ argv: ['--run-timeout-ms', text] }).config.runTimeoutMs).toBe(ms);
});

test.each([
  ['4096', 4096],
  ['64KiB', 65_536],
  ['64MiB', 67_108_864],
  ['1GB', 1_000_000_000],
  ['0.5gib', 536_870_912],
])('reads the size %p', (text, bytes) => {
  expect(load({ argv: ['--max-body-bytes', text] }).config.maxBodyBytes).toBe(bytes);
});

test('what is printed of a setting is read back to the same value, and a key is never printed', () => {
  const { config } = load();
  for (const { name, flag } of configTable()) {
    const text = formatSetting(name, config[name]);
    if (text !== '') expect(load({ argv: [`${flag}=${text}`] }).config[name]).toBe(config[name]);
  }
  for (const name of ['key', 'oidcClientSecret'] as const) expect(formatSetting(name, 'secret')).toBe('(set)');
});

test('a secret of the server comes by variable or file, not by a flag that others could read', () => {
  const error = refusal({ argv: ['--oidc-client-secret=hush'] });
  expect(error.message).not.toContain('hush');
  expect(error.hint).toContain('AIMASS_OIDC_CLIENT_SECRET');
  expect(load({ env: { AIMASS_OIDC_CLIENT_SECRET: 'hush' } }).config.oidcClientSecret).toBe('hush');
  const files = { '/e.toml': 'oidc_client_secret = "hush"' };
  expect(load({ argv: ['--config', '/e.toml'], files }).config.oidcClientSecret).toBe('hush');
});

test("folders for libraries: absolute, without gaps, and the loader's own unless set", () => {
  expect(load().config.cudaPath).toBe('');
  const env = { LD_LIBRARY_PATH: '/a:' };
  expect(load({ env }).config.cudaPath).toBe('/a');
  expect(load({ env, argv: ['--cuda-path', ':/opt/cuda/lib64::/opt/../b'] }).config.cudaPath).toBe(
    '/opt/cuda/lib64:/b',
  );
});

test('the table has every setting once', () => {
  const rows = renderSettingsMarkdown().split('\n').slice(2);
  expect(rows).toHaveLength(settingNames.length);
  expect(rows.find((row) => row.includes('`--max-upload-bytes`'))).toContain('64GiB');
});

test('reads addresses of either family', () => {
  expect(parseListen('0.0.0.0:8700')).toEqual({ hostname: '0.0.0.0', port: 8700 });
  expect(parseListen('[::1]:0')).toEqual({ hostname: '::1', port: 0 });
  expect(() => parseListen('::1:80')).toThrow(AppError);
  expect(() => parseListen('8700')).toThrow(AppError);
});

test('the nearest name is near', () => {
  expect(findNearest('sevre', ['serve', 'show'])).toBe('serve');
  expect(findNearest('entirely-different', ['serve', 'show'])).toBeUndefined();
});
