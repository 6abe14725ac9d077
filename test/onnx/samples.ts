// Real ONNX files that this machine may have, and Python's onnx package as the reference for them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const roots = ['/usr/share/libonnx-testdata/data', join(import.meta.dir, '../../../shared/data')];

/** Paths of the models of Debian's libonnx-testdata and of the shared folder; empty where there are none. */
export const sampleModels = roots
  .filter((root) => existsSync(root))
  .flatMap((root) => [...new Bun.Glob('**/*.onnx').scanSync({ cwd: root, absolute: true })])
  .sort();

const python = '/usr/bin/python3';
export const hasReference =
  existsSync(python) && Bun.spawnSync([python, '-c', 'import onnx'], { stderr: 'ignore' }).exitCode === 0;

export const whyNoReference = "needs Debian's python3-onnx";
export const whyNoSamples = 'needs libonnx-testdata or ../shared/data';

/** Runs a Python program that gets `input` as JSON on its standard input and prints its answer as JSON. */
export async function askPython<T>(program: string, input: unknown): Promise<T> {
  const child = Bun.spawn([python, '-c', program], {
    stdin: new Blob([JSON.stringify(input)]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [answer, complaints] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(complaints.slice(-2000));
  return JSON.parse(answer) as T;
}
