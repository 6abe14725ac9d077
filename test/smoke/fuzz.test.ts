// Malformed requests by the thousand against the executable: the answer is one that the protocol names, the processes
// are the same afterwards, and they have not grown.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as fc from 'fast-check';

import { identity } from '../support/graphs.ts';
import { binaryCall, jsonCall } from '../support/malformed.ts';
import { Appliance, discard, unpack } from './appliance.ts';

const named = [200, 400, 404, 405, 413, 501, 503];
const datatypes = ['FP32', 'INT64', 'UINT8', 'BYTES', 'BOOL'] as const;

const residentMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

test(
  'malformed requests end in answers that the protocol names, and in nothing else',
  async () => {
    const home = await unpack();
    try {
      const appliance = await Appliance.start({ home });
      for (const datatype of datatypes) {
        const file = join(home, `${datatype}.onnx`);
        await Bun.write(file, identity(datatype, ['N', 'M']));
        await appliance.command('push', `identity_${datatype}`, file);
      }
      const send = async (
        model: string,
        body: string | Uint8Array<ArrayBuffer>,
        headers: Record<string, string> = {},
      ) => {
        const reply = await appliance.fetch(`/v2/models/${model}/infer`, { method: 'POST', body, headers });
        const text = await reply.text();
        expect(named).toContain(reply.status);
        if (reply.status !== 200) expect(Object.keys(JSON.parse(text) as object)).toEqual(['error']);
      };
      const attack = async (numRuns: number) => {
        await fc.assert(
          fc.asyncProperty(jsonCall, ({ model, body }) => send(model, JSON.stringify(body))),
          { numRuns },
        );
        await fc.assert(
          fc.asyncProperty(binaryCall, fc.integer({ min: -40, max: 9 }), ({ model, body, tail }, off) => {
            const json = JSON.stringify(body);
            const length = Buffer.byteLength(json) + Math.max(0, off);
            return send(model, Buffer.concat([Buffer.from(json), tail]), {
              'inference-header-content-length': String(length),
            });
          }),
          { numRuns },
        );
      };
      const runners = await appliance.runners();
      await attack(1500);
      const before = residentMb(appliance.pid);
      await attack(3000);
      expect(await appliance.runners()).toEqual(runners);
      expect(residentMb(appliance.pid)).toBeLessThan(before + 64);
      expect(await appliance.stop()).toBe(0);
    } finally {
      await discard(home);
    }
  },
  3 * 60_000,
);
