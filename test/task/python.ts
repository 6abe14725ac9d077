// The system's Python with its libraries as a reference for the tests of this room.
import { existsSync } from 'node:fs';

const interpreter = '/usr/bin/python3';

/** True when these modules can be imported; a test that needs them skips otherwise. */
export function hasPython(...modules: string[]): boolean {
  if (!existsSync(interpreter)) return false;
  return Bun.spawnSync([interpreter, '-c', modules.map((name) => `import ${name}`).join('\n')]).exitCode === 0;
}

/** Runs a script that finds its arguments in `args` and the JSON `input` in `given`; what it prints is read as JSON. */
export async function runPython<T>(script: string, input: unknown = null): Promise<T> {
  const prelude = 'import json, sys\ngiven = json.load(sys.stdin)\n';
  const python = Bun.spawn([interpreter, '-c', prelude + script], {
    stdin: new Blob([JSON.stringify(input)]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [text, complaint] = await Promise.all([python.stdout.text(), python.stderr.text()]);
  if ((await python.exited) !== 0) throw new Error(complaint);
  return JSON.parse(text) as T;
}
