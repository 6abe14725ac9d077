// Builds dist/aimass: the one executable with the runtime, ONNX Runtime, the assets and the template models inside.
// It needs what scripts/bootstrap.sh installs, and downloads nothing.
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dir, '..');
const target = join(root, 'dist/aimass');
const largestMb = 200;

async function missingModels(): Promise<string[]> {
  const missing: string[] = [];
  for await (const path of new Bun.Glob('models/*/template.json').scan(root)) {
    const model = join(root, path, '../model.onnx');
    if (!(await Bun.file(model).exists())) missing.push(path.split('/')[1]!);
  }
  return missing;
}

async function build(): Promise<void> {
  const missing = await missingModels();
  if (missing.length > 0) {
    throw new Error(`the models of ${missing.join(', ')} are not here yet; run scripts/bootstrap.sh first`);
  }
  const startedMs = performance.now();
  const fresh = `${target}.new`;
  const { success, logs } = await Bun.build({
    entrypoints: [join(root, 'src/main.ts'), join(root, 'src/task/image-worker.ts')],
    compile: { outfile: fresh, autoloadDotenv: false, autoloadBunfig: false },
    minify: true,
    bytecode: true,
    format: 'esm',
    sourcemap: 'linked',
    define: { 'process.env.NODE_ENV': '"production"' },
    throw: false,
  });
  if (!success) throw new Error(logs.map(String).join('\n'));
  // The maps are embedded; the bundler leaves copies beside the executable.
  for await (const map of new Bun.Glob('*.js.map').scan(join(root, 'dist'))) await rm(join(root, 'dist', map));
  await rm(`${fresh}.map`, { force: true });
  const sizeMb = (await stat(fresh)).size / 1e6;
  if (sizeMb > largestMb) {
    await rm(fresh);
    throw new Error(`the executable would be ${sizeMb.toFixed(1)} MB; the limit is ${largestMb} MB`);
  }
  // A rename, so that an appliance that runs the old file is not disturbed.
  await rename(fresh, target);
  console.log(`dist/aimass: ${sizeMb.toFixed(1)} MB in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

try {
  await build();
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
