// A power cut at any moment of an import: what was acknowledged is there afterwards, what was not leaves nothing behind.
import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { addScalar } from '../support/graphs.ts';
import { Appliance, discard, unpack, until } from './appliance.ts';

const rounds = 40;

interface Version {
  version: number;
  files: { sha256: string }[];
}

/** Pushes version after version until the server dies. @returns the hashes by version number that it acknowledged */
async function pushUntilDeath(appliance: Appliance, seed: number, killed: AbortSignal): Promise<Map<number, string>> {
  const acknowledged = new Map<number, string>();
  for (let count = 0; ; count++) {
    const bytes = addScalar(seed + count / 1000);
    try {
      const response = await appliance.fetch(`/api/v1/models/m/versions?filename=m.onnx`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
      });
      const { versions } = (await response.json()) as { versions: Version[] };
      expect(response.ok).toBeTrue();
      acknowledged.set(versions[0]!.version, new Bun.CryptoHasher('sha256').update(bytes).digest('hex'));
    } catch (error) {
      if (!killed.aborted) throw error;
      return acknowledged;
    }
  }
}

/** What lies in the data folder, apart from names that are made up at each start. */
function contents(data: string): string[] {
  return readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(data.length))
    .filter((path) => !/\.db-(?:wal|shm)$/.test(path))
    .sort();
}

test(
  `kill -9 during pushes, ${rounds} times: nothing acknowledged is lost, nothing else is left`,
  async () => {
    const home = await unpack();
    try {
      const untouched = await Appliance.start({ home, data: join(home, 'untouched') });
      await untouched.command('install', 'face-detection', 'faces');
      await untouched.command('unload', 'faces');
      await untouched.command('rm', 'faces', '--yes');
      expect(await untouched.stop()).toBe(0);

      const expected = new Map<number, string>();
      for (let round = 0; round < rounds; round++) {
        const appliance = await Appliance.start({ home });
        const killed = new AbortController();
        const pushing = pushUntilDeath(appliance, round + 1, killed.signal);
        await Bun.sleep(Math.random() * 900);
        killed.abort();
        await appliance.kill();
        for (const [version, sha256] of await pushing) {
          expect(expected.has(version)).toBeFalse();
          expected.set(version, sha256);
        }
      }
      const last = await Appliance.start({ home });
      const { versions } = await last.json<{ versions: Version[] }>('/api/v1/models/m');
      const found = new Map(versions.map(({ version, files }) => [version, files[0]!.sha256]));
      console.log(`${rounds} kills: ${expected.size} versions acknowledged, ${found.size} found`);
      expect(expected.size).toBeGreaterThan(rounds / 4);
      for (const [version, sha256] of expected) expect(found.get(version)).toBe(sha256);

      await until('the model to be served', async () => (await last.fetch('/v2/models/m/ready')).status === 200);
      await last.command('unload', 'm');
      await last.command('rm', 'm', '--yes');
      expect(await last.stop()).toBe(0);
      expect(contents(last.data)).toEqual(contents(join(home, 'untouched')));
    } finally {
      await discard(home);
    }
  },
  5 * 60_000,
);
