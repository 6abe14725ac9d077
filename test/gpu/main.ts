// What only a real GPU can show: that the appliance sees it, computes rightly and quickly on it, gives its memory back, and
// lives with crashes and with others on it. Prints a line for each finding; changes no setting of the GPU.
//
//   bun test/gpu/main.ts --pack FILE [--cuda-path FOLDERS] [--home FOLDER] [--only STEP,STEP]
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Box } from './box.ts';
import { bePeer } from './peers.ts';
import { type Context, steps } from './steps.ts';

const { values: options } = parseArgs({
  options: {
    peer: { type: 'string' },
    /** A GPU pack in any form that `aimass gpu-pack install` takes. */
    pack: { type: 'string' },
    'cuda-path': { type: 'string', default: process.env.AIMASS_CUDA_PATH ?? process.env.LD_LIBRARY_PATH ?? '' },
    /** Folder with the executable; `dist` unless given. */
    home: { type: 'string', default: join(import.meta.dir, '../../dist') },
    /** Folder with light_squeezenet.onnx. */
    light: { type: 'string', default: join(import.meta.dir, '../../../shared/data/light') },
    /** What is expected to be chosen; another one rehearses the check on a machine without a GPU. */
    provider: { type: 'string', default: 'cuda' },
    only: { type: 'string' },
    /** Keeps the data folder. */
    keep: { type: 'boolean', default: false },
  },
});

if (options.peer) await bePeer(options.peer, JSON.parse(process.env.PEER ?? '{}'));

const began = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'aimass-gpu-check-'));
const data = join(folder, 'data');
await mkdir(data);
const bad: string[] = [];
let step = 'start';

function say(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  for (const line of text.split('\n')) console.log(`${seconds} ${step.padEnd(10)} ${line}`);
}

const context: Context = {
  folder,
  data,
  home: options.home,
  pack: options.pack,
  light: existsSync(options.light) ? options.light : undefined,
  libraryPath: options['cuda-path'],
  provider: options.provider,
  say,
  check(holds, text) {
    say(`${holds ? 'ok ' : 'BAD'} ${text}`);
    if (!holds) bad.push(`${step}: ${text}`);
  },
  box: () => {
    if (!box) throw new Error('the appliance did not start');
    return box;
  },
};

let box: Box | undefined;
const only = options.only?.split(',');
for (const [name, { run, limitMs }] of Object.entries(steps)) {
  if (only && !only.includes(name)) continue;
  step = name;
  const startedMs = performance.now();
  try {
    const late = Bun.sleep(limitMs).then(() => Promise.reject(new Error(`not done after ${limitMs / 1000} s`)));
    if (name === 'devices' || (!box && name !== 'pack'))
      box ??= await Box.start(options.home, data, context.libraryPath);
    await Promise.race([run(context), late]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.check(false, `it broke off: ${message.trim().slice(-500)}`);
  }
  say(`took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}
step = 'end';
if (box) {
  await Bun.write(join(tmpdir(), 'aimass-gpu-check.log'), box.appliance.lines.join('\n'));
  say(`the server ended with ${await box.appliance.stop()}; its log is ${join(tmpdir(), 'aimass-gpu-check.log')}`);
}
if (!options.keep) await rm(folder, { recursive: true, force: true });
say(bad.length === 0 ? 'all is well' : `${bad.length} not as they should be:\n${bad.join('\n')}`);
process.exit(bad.length === 0 ? 0 : 1);
