import type { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import fc from 'fast-check';

import {
  type AuditEvent,
  canonicalJson,
  isSecretName,
  redact,
  redactText,
  removed,
} from '../../src/access/audit-entry.ts';
import { Audit } from '../../src/access/audit.ts';
import { openDatabase } from '../../src/db/open.ts';

let db: Database;
let nowMs: number;
let audit: Audit;
beforeEach(() => {
  db = openDatabase(':memory:');
  nowMs = Date.UTC(2026, 0, 1);
  audit = new Audit(db, () => nowMs++);
});
afterEach(() => db.close());

const event: AuditEvent = {
  actor: { kind: 'user', id: 'u1', name: 'Ada', role: 'administrator' },
  action: 'user.role',
  target: 'grace',
  result: 'ok',
  from: '10.0.0.7',
  requestId: 'r-1',
  before: { role: 'viewer' },
  after: { role: 'owner' },
};
const fill = (count: number) => Array.from({ length: count }, (_, i) => audit.record({ ...event, target: `t${i}` }));

/** What somebody with the database file and no scruples can do. */
function tamper(sql: string): void {
  for (const name of ['changed', 'removed', 'replaced']) db.run(`DROP TRIGGER audit_not_${name}`);
  db.run(sql);
}

describe('the trail', () => {
  test('tells who did what, on what, when, from where, with what result', () => {
    const entry = audit.record(event);
    expect(entry).toEqual({
      seq: 1,
      atMs: Date.UTC(2026, 0, 1),
      actor: { kind: 'user', id: 'u1', name: 'Ada' },
      action: 'user.role',
      target: 'grace',
      result: 'ok',
      from: '10.0.0.7',
      requestId: 'r-1',
      before: { role: 'viewer' },
      after: { role: 'owner' },
    });
    expect(audit.search()).toEqual([entry]);
    expect(audit.record({ ...event, actor: { kind: 'nobody' } }).actor).toEqual({ kind: 'nobody', name: '' });
    expect(audit.record({ ...event, actor: { kind: 'system', name: 'socket' } }).actor.name).toBe('socket');
  });

  test('tells of refusals that are repeated without end once an hour, and of no more than 30 of each actor', () => {
    const refusal = { ...event, result: 'refused' as const };
    for (let i = 0; i < 50; i++) audit.recordRefusal(refusal);
    expect(audit.search()).toHaveLength(1);
    for (let i = 0; i < 50; i++) audit.recordRefusal({ ...refusal, target: `t${i}` });
    expect(audit.search()).toHaveLength(30);
    audit.recordRefusal({ ...refusal, actor: { ...event.actor, id: 'u2' } as AuditEvent['actor'] });
    expect(audit.search()).toHaveLength(31);
    for (let i = 0; i < 50; i++) {
      audit.recordRefusal({ ...refusal, target: `g${i}`, actor: { kind: 'guest', name: 'guest' } });
    }
    expect(audit.search()).toHaveLength(36);
    nowMs += 3_600_000;
    audit.recordRefusal(refusal);
    expect(audit.search()).toHaveLength(37);
  });

  test('is undone with what it tells of', async () => {
    audit.record(event);
    const work = db.transaction(() => {
      audit.record(event);
      throw new Error('no');
    });
    expect(work).toThrow('no');
    audit.record(event);
    expect(audit.search().map(({ seq }) => seq)).toEqual([2, 1]);
    expect(await audit.verify()).toMatchObject({ ok: true, count: 2 });
  });

  test('cannot be changed, shortened or overwritten by a statement', () => {
    fill(3);
    for (const sql of [
      "UPDATE audit SET entry = '{}'",
      'DELETE FROM audit WHERE seq = 3',
      'DELETE FROM audit',
      "INSERT OR REPLACE INTO audit (seq, entry, hash) VALUES (2, '{}', '')",
      "REPLACE INTO audit (seq, entry, hash) VALUES (3, '{}', '')",
      "INSERT INTO audit (seq, entry, hash) VALUES (9, '{}', '')",
      'DELETE FROM audit_head',
    ]) {
      expect(() => db.run(sql)).toThrow('append-only');
    }
    expect(audit.search()).toHaveLength(3);
  });

  test('is searched by who, what, on what and when, page by page', () => {
    fill(30);
    audit.record({ ...event, actor: { kind: 'system', name: 'socket' }, action: 'key.revoke', target: 't3' });
    expect(audit.search({ actor: 'socket' })).toHaveLength(1);
    expect(audit.search({ action: 'user.role' })).toHaveLength(30);
    expect(audit.search({ target: 't3' }).map(({ action }) => action)).toEqual(['key.revoke', 'user.role']);
    expect(audit.search({ target: 't3', actor: 'Ada' })).toHaveLength(1);
    const fromMs = Date.UTC(2026, 0, 1) + 10;
    expect(audit.search({ fromMs, untilMs: fromMs + 5 }).map(({ target }) => target)).toEqual([
      't14',
      't13',
      't12',
      't11',
      't10',
    ]);
    const first = audit.search({}, { limit: 20 });
    const second = audit.search({}, { limit: 20, before: first.at(-1)!.seq });
    expect([...first, ...second].map(({ seq }) => seq)).toEqual(Array.from({ length: 31 }, (_, i) => 31 - i));
    expect(audit.search({ actor: "' OR 1=1 --" })).toEqual([]);
    expect(audit.search({}, { limit: -5 })).toHaveLength(1);
  });
});

describe('verification', () => {
  const broken = async (sql: string) => {
    tamper(sql);
    return await audit.verify();
  };

  test('is content with what nobody touched, also when it is empty and while it grows', async () => {
    expect(await audit.verify()).toEqual({ ok: true, count: 0, head: '' });
    fill(2500);
    const verification = audit.verify();
    fill(10);
    expect(await verification).toMatchObject({ ok: true, count: 2510, head: expect.stringMatching(/^[\da-f]{64}$/) });
  });

  test('finds the first row that was changed', async () => {
    fill(10);
    expect(await broken(`UPDATE audit SET entry = replace(entry, '"t4"', '"t5"') WHERE seq >= 5`)).toEqual({
      ok: false,
      seq: 5,
      why: 'changed',
    });
  });

  test('finds a hash that was changed', async () => {
    fill(4);
    tamper("UPDATE audit SET hash = 'x' || substr(hash, 2) WHERE seq = 2");
    expect(await audit.verify()).toEqual({ ok: false, seq: 2, why: 'changed' });
  });

  test('finds a row that was removed in the middle, at the start and at the end', async () => {
    fill(10);
    expect(await broken('DELETE FROM audit WHERE seq = 10')).toEqual({ ok: false, seq: 10, why: 'cut' });
    db.run('DELETE FROM audit WHERE seq IN (4, 5)');
    expect(await audit.verify()).toEqual({ ok: false, seq: 4, why: 'missing' });
    db.run('DELETE FROM audit WHERE seq = 1');
    expect(await audit.verify()).toEqual({ ok: false, seq: 1, why: 'missing' });
    db.run('DELETE FROM audit');
    expect(await audit.verify()).toEqual({ ok: false, seq: 1, why: 'cut' });
  });

  test('finds rows that were added past the head, and a head that was changed', async () => {
    fill(3);
    const { count, hash } = db.query<{ count: number; hash: string }, []>('SELECT count, hash FROM audit_head').get()!;
    fill(1);
    tamper(`UPDATE audit_head SET count = ${count}, hash = '${hash}'`);
    expect(await audit.verify()).toEqual({ ok: false, seq: 4, why: 'added' });
    db.run("UPDATE audit_head SET count = 4, hash = 'x'");
    expect(await audit.verify()).toEqual({ ok: false, seq: 4, why: 'changed' });
  });

  test('finds any change of one character, wherever it is', async () => {
    fill(6);
    for (const name of ['changed', 'removed', 'replaced']) db.run(`DROP TRIGGER audit_not_${name}`);
    const rows = db.query<{ entry: string }, []>('SELECT entry FROM audit ORDER BY seq').all();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.nat(),
        fc.constantFrom('0', '1', 'x'),
        async (seq, where, letter) => {
          const { entry } = rows[seq - 1]!;
          const at = where % entry.length;
          // A change that leaves no JSON is refused by the columns that are read out of it.
          fc.pre(/[a-z\d]/i.test(entry[at]!) && entry[at] !== letter);
          const changed = entry.slice(0, at) + letter + entry.slice(at + 1);
          fc.pre(isJson(changed));
          db.run('UPDATE audit SET entry = ? WHERE seq = ?', [changed, seq]);
          expect(await audit.verify()).toEqual({ ok: false, seq, why: 'changed' });
          db.run('UPDATE audit SET entry = ? WHERE seq = ?', [entry, seq]);
        },
      ),
    );
    expect(await audit.verify()).toMatchObject({ ok: true });
  });
});

describe('export', () => {
  test('gives every entry once, oldest first, as lines', () => {
    fill(2100);
    const lines = [...audit.export()];
    expect(lines).toHaveLength(2100);
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(
      Array.from({ length: 2100 }, (_, i) => i + 1),
    );
    expect([...audit.export({ target: 't7' })]).toHaveLength(1);
  });

  const python = '/usr/bin/python3';
  test.skipIf(!existsSync(python))('lets others follow the chain, here Python, which needs python3', () => {
    audit.record({
      ...event,
      target: 'naïve 模型 "x" \u2028',
      after: { z: 1, a: [1.5, null, true, { é: '😀' }], ä: 0.1 },
    });
    fill(5);
    const script = `import hashlib, json, sys
previous = ''
for line in sys.stdin.buffer.read().decode().split('\\n'):
    entry = json.loads(line)
    wanted = entry.pop('hash')
    text = json.dumps(entry, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
    previous = hashlib.sha256((previous + '\\n' + text).encode()).hexdigest()
    assert previous == wanted, entry
print(previous)`;
    const stdin = Buffer.from([...audit.export()].join('\n'));
    const { stdout, stderr } = Bun.spawnSync([python, '-c', script], { stdin });
    expect(stderr.toString()).toBe('');
    expect(db.query('SELECT hash FROM audit_head').get()).toEqual({ hash: stdout.toString().trim() });
  });
});

describe('no secret gets in', () => {
  const secret = 'hunter2hunter2';
  const names = [
    'password',
    'newPassword',
    'PASSWORD_HASH',
    'client_secret',
    'clientSecret',
    'token',
    'accessToken',
    'apiKey',
    'API-Key',
    'key',
  ];
  const more = [
    'keys',
    'Authorization',
    'cookie',
    'X-Auth-Token',
    'passphrase',
    'credentials',
    'HTTPPassword',
    'set-cookie',
  ];

  test('under a name that says so, at any depth', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names, ...more), fc.nat(2), fc.boolean(), (name, depth, inList) => {
        let value: unknown = { [name]: inList ? [secret] : secret, other: 'kept' };
        for (let i = 0; i < depth; i++) value = { outer: [value] };
        const entry = audit.record({ ...event, before: value, after: { deep: { [name]: { nested: secret } } } });
        expect(JSON.stringify(entry)).not.toContain(secret);
        expect(JSON.stringify(entry)).toContain('kept');
      }),
    );
    expect(Buffer.from(db.serialize()).includes(secret)).toBe(false);
  });

  test('and what has the look of one, wherever it stands', () => {
    const key = `am_Ab3dEf6hIj9l_${'Z'.repeat(43)}`;
    const texts = [
      `the key ${key}.`,
      `Authorization: Bearer ${secret}`,
      `https://ada:${secret}@host/x`,
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END`,
    ];
    for (const text of [...texts, `$argon2id$v=19$m=1,t=1,p=1$${secret}`]) {
      const entry = audit.record({ ...event, target: text, from: text, after: [text, { [text]: 1 }] });
      expect(JSON.stringify(entry)).not.toContain(secret);
      expect(JSON.stringify(entry)).not.toContain('ZZZZ');
    }
    expect(redactText(`key ${key}`)).toBe(`key am_Ab3dEf6hIj9l_${removed}`);
  });

  test('while what is no secret stays readable', () => {
    expect(redact({ hasPassword: true, monkey: 'x', keyboard: 'y', passes: 3, at: new Date(0) })).toEqual({
      hasPassword: true,
      monkey: 'x',
      keyboard: 'y',
      passes: 3,
      at: '1970-01-01T00:00:00.000Z',
    });
    expect(['name', 'role', 'model', 'tokenizer', 'passed', 'maxQueueSize'].filter(isSecretName)).toEqual([]);
  });
});

describe('an entry', () => {
  test('stays small and sound, whatever is in it', () => {
    const circular: Record<string, unknown> = { name: 'x' };
    circular.self = circular;
    const wild = [
      circular,
      { text: 'x'.repeat(1e6) },
      Array(1e5).fill('y'.repeat(100)),
      { n: 1n, f: () => 1, u: undefined, i: Infinity },
      new Uint8Array(1e6),
      null,
      'text',
    ];
    for (const after of wild) {
      const entry = audit.record({ ...event, target: 'x'.repeat(10_000), after });
      expect(JSON.stringify(entry).length).toBeLessThan(20_000);
    }
    expect(audit.search()).toHaveLength(wild.length);
  });

  test('comes back as it was told, if it is plain and short', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.jsonValue({ maxDepth: 2 }), (target, value) => {
        const entry = audit.record({ ...event, target, after: { value } });
        expect(audit.search({}, { limit: 1 })[0]).toEqual(JSON.parse(canonicalJson(entry)));
      }),
    );
  });

  test('is written in one way, whatever the order of its members', () => {
    expect(canonicalJson({ b: 1, a: { d: [2, { f: 3, e: 4 }], c: null } })).toBe(
      '{"a":{"c":null,"d":[2,{"e":4,"f":3}]},"b":1}',
    );
    expect(canonicalJson(JSON.parse('{"__proto__":1,"a":2}'))).toBe('{"__proto__":1,"a":2}');
  });
});

function isJson(text: string): boolean {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}
