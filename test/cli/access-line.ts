import type { Terminal } from '../../src/cli/report.ts';
import type { Control } from '../../src/http/api/control.ts';
// Commands about access against the real routes, asked as the server's own terminal.
import { openAccessApi, system } from '../http/api/access-api.ts';
import { aimass } from './command-line.ts';

/** @param given what else the server can do */
export async function openLine(given: Partial<Control> = {}) {
  const info = () => ({ version: '1', startedAt: '', listen: 'http://box.lan:8700', dataFolder: '' });
  const box = await openAccessApi({ info, ...given });
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: (request) => box.api.fetch(request, system) });
  const run = ([command, ...rest]: string[], terminal: Partial<Terminal> = {}) =>
    aimass([command!, '--server', server.url.origin, ...rest], { terminal });
  return {
    ...box,
    url: server.url.origin,
    run,
    /** The answer of a command that must succeed. */
    async json<T>(...argv: string[]): Promise<T> {
      const { code, out, err } = await run([...argv, '--json']);
      if (code !== 0) throw new Error(`aimass ${argv.join(' ')} ended with ${code}: ${err}`);
      return JSON.parse(out) as T;
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      box[Symbol.dispose]();
    },
  };
}
