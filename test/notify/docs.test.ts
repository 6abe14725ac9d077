// The pieces of code with which receivers check a signature, as the page and the documentation show them, are run.
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeWebhookSecret, signatureHeaders } from '../../src/notify/signature.ts';
import { pythonCheck, typescriptCheck } from '../../web/signature-examples.ts';

const page = await Bun.file(join(import.meta.dir, '../../docs/notifications.md')).text();
const shown = (language: string) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(page)![1];

const secret = makeWebhookSecret();
const body = '{"title":{"zh":"申请上线"}}';
const nowMs = Date.now();
const good = signatureHeaders(secret, 'msg_1', nowMs, body);
const rotated = { ...good, 'webhook-signature': `v1,AAAA ${good['webhook-signature']}` };
const cases: [string, Record<string, string>, string, boolean][] = [
  ['genuine', good, body, true],
  ['one of several signatures', rotated, body, true],
  ['another body', good, `${body} `, false],
  ['another id', { ...good, 'webhook-id': 'msg_2' }, body, false],
  ['an old one', signatureHeaders(secret, 'msg_1', nowMs - 301_000, body), body, false],
  ['one from the future', signatureHeaders(secret, 'msg_1', nowMs + 310_000, body), body, false],
  ['another secret', signatureHeaders(makeWebhookSecret(), 'msg_1', nowMs, body), body, false],
];

test('the documentation shows what the page shows', () => {
  expect([shown('python'), shown('ts')]).toEqual([pythonCheck, typescriptCheck]);
});

test('TypeScript', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-signature-'));
  await Bun.write(join(folder, 'check.ts'), typescriptCheck);
  const { isGenuine } = (await import(join(folder, 'check.ts'))) as {
    isGenuine: (secret: string, headers: Headers, body: string) => boolean;
  };
  for (const [, headers, text, wanted] of cases) expect(isGenuine(secret, new Headers(headers), text)).toBe(wanted);
  expect(isGenuine(secret, new Headers(), body)).toBeFalse();
  rmSync(folder, { recursive: true });
});

test.skipIf(Bun.which('python3') === null)('Python', async () => {
  const script = `${pythonCheck}
import json, sys
secret, cases = json.load(sys.stdin)
print(json.dumps([is_genuine(secret, headers, body.encode()) for _, headers, body, _ in cases]))`;
  const child = Bun.spawn(['python3', '-c', script], {
    stdin: Buffer.from(JSON.stringify([secret, cases])),
    stdout: 'pipe',
  });
  expect(JSON.parse(await child.stdout.text())).toEqual(cases.map(([, , , wanted]) => wanted));
});
