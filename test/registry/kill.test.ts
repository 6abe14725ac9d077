import { expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openIn } from './opened.ts';

interface Line {
  model: string;
  version: number;
  sha256?: string;
  removing?: boolean;
}

/** Runs the child until it was killed a random time after it was ready. @returns the lines that it finished */
async function runAndKill(folder: string, round: number): Promise<Line[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'kill-child.ts'), folder, String(round)], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), Math.random() * 120);
    text += decoder.decode(chunk);
  }
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');
  const lines = text.split('\n').slice(1, -1);
  return lines.map((line) => JSON.parse(line) as Line);
}

test('kill -9 at any moment loses no acknowledged version and leaves no garbage', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-kill-'));
  const acknowledged = new Map<string, string>();
  const given = new Map<string, number>();
  let imports = 0;
  try {
    for (let round = 0; round < 25; round++) {
      const uncertain = new Set<string>();
      for (const { model, version, sha256, removing } of await runAndKill(folder, round)) {
        const key = `${model}:${version}`;
        if (removing) {
          uncertain.add(key);
          continue;
        }
        expect(version).toBeGreaterThan(given.get(model) ?? 0);
        given.set(model, version);
        acknowledged.set(key, sha256!);
        imports += 1;
      }

      const it = await openIn(folder);
      const present = it.registry.listModels().flatMap(({ name }) => it.registry.listVersions(name));
      const keys = new Set(present.map(({ model, version }) => `${model}:${version}`));
      for (const key of acknowledged.keys()) {
        if (uncertain.has(key) && !keys.has(key)) acknowledged.delete(key);
        expect([key, keys.has(key)]).toEqual([key, acknowledged.has(key)]);
      }
      const wanted = new Set<string>();
      for (const { model, version, files, bytes } of present) {
        const expected = acknowledged.get(`${model}:${version}`);
        const [{ sha256 }] = files as [(typeof files)[0]];
        if (expected) expect(sha256).toBe(expected);
        const path = join('blobs', sha256.slice(0, 2), sha256);
        const content = readFileSync(join(folder, path));
        expect(content.length).toBe(bytes);
        expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
        wanted.add(path);
        given.set(model, Math.max(version, given.get(model) ?? 0));
      }
      const uploads = it.db.query<{ id: string }, []>('SELECT id FROM uploads').all();
      for (const { id } of uploads) wanted.add(join('uploads', id));
      expect(it.filesOnDisk()).toEqual([...wanted].sort());
      await it.registry.close();
      it.db.close();
    }
    expect(imports).toBeGreaterThan(5);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
