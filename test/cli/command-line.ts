// Runs commands as a person would type them, and a real appliance in this process for them to talk to.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ApplianceParts, openAppliance } from '../../src/app.ts';
import { runCli } from '../../src/cli/cli.ts';
import type { Terminal } from '../../src/cli/report.ts';
import { loadConfig, type LoadedConfig, readSurroundings, type Surroundings } from '../../src/config.ts';

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

export interface CallOptions {
  env?: Record<string, string>;
  terminal?: Partial<Terminal>;
  serve?: (loaded: LoadedConfig) => Promise<number>;
}

/** Nothing of the environment that the tests run in. */
export function bareSurroundings(env: Record<string, string> = {}): Surroundings {
  return { ...readSurroundings(), env: { HOME: '/nonexistent', ...env }, isRoot: false };
}

export async function aimass(argv: string[], { env, terminal, serve }: CallOptions = {}): Promise<Outcome> {
  const outcome: Outcome = { code: -1, out: '', err: '' };
  outcome.code = await runCli(argv, {
    serve: serve ?? (() => Promise.reject(new Error('not to be served'))),
    surroundings: bareSurroundings(env),
    terminal: {
      out: async (text) => void (outcome.out += text),
      err: (text) => void (outcome.err += text),
      ...terminal,
    },
  });
  return outcome;
}

/** @param settings as flags */
export async function openServer(parts: ApplianceParts = {}, settings: string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'aimass-cli-'));
  const data = join(folder, 'data');
  const argv = ['--data', data, '--listen', '127.0.0.1:0', '--log-level', 'error', '--threads', '1', ...settings];
  const appliance = await openAppliance(loadConfig({ argv, ...bareSurroundings() }).config, parts);
  return {
    data,
    /** For the test's own files. */
    folder,
    url: appliance.url,
    /** Makes the first administrator, and a key that may do what an owner of models may. */
    async openToPrograms(): Promise<string> {
      const unix = join(data, 'aimass.sock');
      const post = async (path: string, body: object) =>
        (await fetch(`http://localhost/api/v1${path}`, { unix, method: 'POST', body: JSON.stringify(body) })).json();
      const { path } = (await post('/setup/link', {})) as { path: string };
      const token = new URLSearchParams(path.split('?')[1]).get('token');
      await post('/setup', { token, name: 'admin', password: 'correct horse battery staple' });
      return (await this.json<{ text: string }>('keys', 'add', 'all', '--owner', 'admin', '--allow', 'manage,predict'))
        .text;
    },
    /** Over the socket in the data folder. */
    aimass: (argv: string[], terminal?: Partial<Terminal>) => aimass([...argv, '--data', data], { terminal }),
    /** The answer of a command that must succeed. */
    async json<T>(...argv: string[]): Promise<T> {
      const { code, out, err } = await aimass([...argv, '--json', '--data', data]);
      if (code !== 0) throw new Error(`aimass ${argv.join(' ')} ended with ${code}: ${err}`);
      return JSON.parse(out) as T;
    },
    async [Symbol.asyncDispose]() {
      await appliance.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type TestServer = Awaited<ReturnType<typeof openServer>>;
