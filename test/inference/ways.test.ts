// Which outcomes of trials are remembered, and for how long.
import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';

import type { Device } from '../../src/device/device.ts';
import { createFootprintStore } from '../../src/device/footprint-rows.ts';
import type { ProviderTrial } from '../../src/inference/provider-trial.ts';
import { createTrialStore } from '../../src/inference/trial-rows.ts';
import { type Runtime, WayBook } from '../../src/inference/ways.ts';
import { plainManifest } from '../../src/registry/manifest.ts';
import type { VersionRecord } from '../../src/types.ts';

const gpu: Device = {
  id: 'GPU-0',
  kind: 'cuda',
  index: 0,
  name: 'NVIDIA H100',
  driverVersion: '580.95.05',
  state: 'ready',
  reading: { totalBytes: 80e9, usedBytes: 0, freeBytes: 80e9, throttle: [], processes: [] },
};
const cpu: Device = { ...gpu, id: 'cpu', kind: 'cpu', name: 'Xeon' };
const record = {
  model: 'digits',
  version: 1,
  entry: 'model.onnx',
  files: [{ path: 'model.onnx', sha256: 'ab', bytes: 1 }],
  facts: { weightBytes: 1000 },
  signature: { inputs: [], outputs: [] },
  manifest: plainManifest,
} as unknown as VersionRecord;
const good = { ok: true, loadMs: 1, runMs: 1, difference: 0, agrees: true } as const;

async function openBook() {
  const db = new Database(':memory:');
  for (const name of ['001-models', '002-footprints', '003-placement']) {
    db.run(await Bun.file(`${import.meta.dir}/../../src/db/${name}.sql`).text());
  }
  let answer: Omit<ProviderTrial, 'provider'> = good;
  let nowMs = 0;
  const tried: string[] = [];
  const open = () =>
    new WayBook(
      {
        trials: createTrialStore(db),
        footprints: createFootprintStore(db),
        tryProvider: async ({ provider }) => {
          tried.push(provider);
          return { ...answer, provider } as ProviderTrial;
        },
        measure: () => Promise.reject(new Error('not measured here')),
      },
      () => nowMs,
    );
  let book = open();
  return {
    tried,
    answer: (next: Omit<ProviderTrial, 'provider'>) => void (answer = next),
    pass: (milliseconds: number) => void (nowMs += milliseconds),
    restart: () => void (book = open()),
    list: (runtime: Runtime) => book.list(record, 8, [gpu, cpu], runtime),
    /** As a start on the GPU does: the first way that was not tried yet. */
    async tryNext(runtime: Runtime) {
      const way = book.list(record, 8, [gpu, cpu], runtime).ways.find(({ kind, trial }) => kind === 'cuda' && !trial);
      if (way) await book.try(record, way, gpu, '/model.onnx', runtime, []);
      return way?.provider;
    },
  };
}

const runtimeOf = (version: string): Runtime => ({ folder: '/runtime', version });
const packed = runtimeOf('1.29.0 with pack of 1.29.0');

describe('a way that failed', () => {
  test('for the sake of the model is never tried again with the same libraries', async () => {
    const book = await openBook();
    book.answer({ ok: false, reason: "Operator 'Odd' of version 1 is not supported." } as ProviderTrial);
    expect(await book.tryNext(packed)).toBe('tensorrt');
    book.pass(1e9);
    book.restart();
    expect(book.list(packed).passedOver).toMatchObject([{ provider: 'tensorrt' }]);
    expect(await book.tryNext(packed)).toBe('cuda');
  });

  test('is tried again once the libraries are others', async () => {
    const book = await openBook();
    const lacking = runtimeOf('1.29.0 with pack of 1.29.0 without libnvinfer.so.10');
    book.answer({ ok: false, reason: 'The library libnvinfer.so.10 is missing.' } as ProviderTrial);
    expect(await book.tryNext(lacking)).toBe('tensorrt');
    expect(book.list(lacking).passedOver).toHaveLength(1);
    book.answer(good);
    expect(await book.tryNext(packed)).toBe('tensorrt');
    expect(book.list(packed)).toMatchObject({ ways: [{ provider: 'tensorrt' }, { provider: 'cpu' }], passedOver: [] });
  });

  test('for the sake of the machine is passed over for ten minutes, or until the server starts again', async () => {
    const book = await openBook();
    book.answer({ ok: false, reason: 'CUDA sees no GPU.', ofMachine: true } as ProviderTrial);
    expect(await book.tryNext(packed)).toBe('tensorrt');
    expect(book.list(packed).passedOver).toMatchObject([{ provider: 'tensorrt', reason: 'CUDA sees no GPU.' }]);
    book.pass(9 * 60_000);
    expect(book.list(packed).passedOver).toHaveLength(1);
    book.pass(61_000);
    expect(book.list(packed).passedOver).toEqual([]);

    expect(await book.tryNext(packed)).toBe('tensorrt');
    book.restart();
    expect(book.list(packed).passedOver).toEqual([]);
    expect(book.tried).toEqual(['tensorrt', 'tensorrt']);
  });

  test('for want of memory is not passed over at all', async () => {
    const book = await openBook();
    const reason = 'The model and its values do not fit into the memory that is free.';
    book.answer({ ok: false, reason } as ProviderTrial);
    expect(await book.tryNext(packed)).toBe('tensorrt');
    expect(book.list(packed).passedOver).toEqual([]);
  });
});
