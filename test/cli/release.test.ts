// The commands about going live, over the real routes and a control that keeps all in memory.
import { describe, expect, test } from 'bun:test';

import type { DetailAnswer, EndpointStatusAnswer, ReleaseAnswer } from '../../src/cli/release-answers.ts';
import { AppError } from '../../src/error.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { createReleaseControl } from '../support/release-control.ts';
import { openLine } from './access-line.ts';

const versions = { faces: [1, 2, 3], digits: [1] };

const registry = {
  getModel(name: string) {
    if (Object.hasOwn(versions, name)) return { name, versions: versions[name as 'faces'], current: 2, createdAt: '' };
    throw new AppError('not_found', `There is no model '${name}'.`);
  },
  listVersions: () => [],
  getVersion: (model: string, version: number) => ({ model, version }),
} as unknown as Registry;

async function open() {
  const fake = createReleaseControl(versions);
  const plane = { table: new Map() } as never;
  const line = await openLine({ release: fake.release, registry, plane });
  return {
    ...line,
    ...fake,
    lastCall: (name: string) => fake.calls.findLast(([called]) => called === name)?.slice(2),
    /** A command that must succeed. */
    async say(...argv: string[]): Promise<string> {
      const { code, out, err } = await line.run(argv);
      if (code !== 0) throw new Error(`aimass ${argv.join(' ')} ended with ${code}: ${err}`);
      return out;
    },
  };
}

describe('release', () => {
  test('from the request to the way back', async () => {
    await using box = await open();
    expect(await box.say('release')).toContain("'aimass release submit NAME' asks for one.");
    const asked = await box.say('release', 'submit', 'faces:1', '--licence', 'MIT', '--statement', 'first');
    expect(asked).toBe('Release 1, faces:1 as faces in production, is submitted.\n');
    expect(await box.say('release', 'list')).toMatch(/^ +1  faces +production +faces:1 +submitted +socket +2026-/m);
    expect(await box.say('release')).toContain('1 release waits for a decision.');
    expect(await box.say('release', 'comment', '1', 'Why now?')).toBe('It stands beside release 1 now.\n');
    expect(await box.say('release', 'approve', '1', '--comment', 'fine')).toContain('is live.');
    await box.say('release', 'submit', 'faces:2', '--licence', 'MIT');
    await box.say('release', 'approve', '2');
    expect(await box.say('endpoints')).toMatch(/^faces +production +faces:2 +2 +– +faces\.models\.lan$/m);
    const back = await box.say('release', 'rollback', 'faces', '--reason', 'slow');
    expect(back).toBe('faces is answered by faces:1 again (release 1).\n');
    expect(box.lastCall('rollback')).toEqual(['faces', { reason: 'slow' }]);
    const status = await box.json<DetailAnswer & EndpointStatusAnswer>('release', 'status', '1');
    expect(status).toMatchObject({ release: { state: 'live' }, sides: [{ role: 'live', version: 1, share: 1 }] });
  });

  test('submit says what is named and leaves the rest to what is live', async () => {
    await using box = await open();
    const options = {
      '--endpoint': 'fraud',
      '--environment': 'staging',
      '--contact': 'Olga',
      '--licence': 'MIT',
      '--min': '2',
      '--max': '4',
      '--device': 'GPU-0,GPU-1',
      '--domain': 'fraud.corp.lan',
      '--timeout': '2s',
      '--queue': '50',
      '--rate': '2.5',
      '--at': '2026-03-02T20:00:00Z',
      '--canary': '5:10m,25:10m,50:5m',
      '--shadow': '10:30m',
      '--sticky': 'x-user',
      '--min-requests': '100',
    };
    await box.say('release', 'submit', 'faces', '--draft', ...Object.entries(options).flat());
    expect(box.lastCall('create')).toEqual([
      {
        model: 'faces',
        endpoint: 'fraud',
        environment: 'staging',
        contact: 'Olga',
        licence: 'MIT',
        minInstances: 2,
        maxInstances: 4,
        deviceIds: ['GPU-0', 'GPU-1'],
        domain: 'fraud.corp.lan',
        inferenceTimeoutMs: 2000,
        maxQueueSize: 50,
        ratePerSecond: 2.5,
        notBeforeMs: Date.parse('2026-03-02T20:00:00Z'),
        rollout: {
          steps: [
            { percent: 5, holdMs: 600_000 },
            { percent: 25, holdMs: 600_000 },
            { percent: 50, holdMs: 300_000 },
          ],
          shadow: { percent: 10, holdMs: 1_800_000 },
          stickyHeader: 'x-user',
          minRequests: 100,
          trialKeys: [],
        },
      },
    ]);
    expect(box.lastCall('submit')).toBeUndefined();
    await box.say('release', 'submit', 'faces:3', '--draft');
    expect(box.lastCall('create')).toEqual([{ model: 'faces', version: 3, endpoint: 'faces' }]);
    await box.say('release', 'change', '1', '--canary', 'none', '--rate', 'none', '--at', 'now', '--device', 'any');
    expect(box.lastCall('edit')).toMatchObject([
      1,
      { ratePerSecond: null, notBeforeMs: null, deviceIds: null, rollout: { steps: [], stickyHeader: 'x-user' } },
      1,
    ]);
    expect(await box.say('release', 'send', '1')).toContain('is live');
  });

  test('show has all that a reviewer looks at; what a person wrote writes nothing to the terminal', async () => {
    await using box = await open();
    await box.say('release', 'submit', 'faces:1', '--licence', 'MIT');
    await box.say('release', 'approve', '1');
    const statement = '\u001b[31mred\u001b[0m';
    const wish = ['faces:2', '--statement', statement, '--canary', '25:10m', '--contact', 'Olga'];
    const sent = await box.say('release', 'submit', ...wish);
    expect(sent).toContain('is submitted.\nIt cannot be approved as it is:\n  ✗ licence: No licence is named.');
    expect(sent).not.toContain('room');
    await box.say(
      'release',
      'attach',
      '2',
      '--title',
      'March',
      '--url',
      'https://lab.lan/7',
      '--numbers',
      'accuracy=0.97',
    );
    const shown = await box.say('release', 'show', '2');
    expect(shown).not.toContain('\u001b');
    expect(shown).toContain('Release 2, faces:2 as faces in production, is submitted.');
    expect(shown).toMatch(/contact +Olga/);
    expect(shown).toMatch(/rollout +25 % for 10 min 0 s, then all/);
    expect(shown).toContain('March (link), accuracy 0.97, https://lab.lan/7');
    expect(shown).toContain('Beside faces:1, which is live');
    expect(shown).toContain('✗ signature: input image: [-1, 3, 64, 64] → [-1, 3, 96, 96] (breaks callers)');
    expect(shown).toContain('✗ licence: No licence is named. It can be overridden.');
    expect(shown).toMatch(/2026-03-01 \d\d:\d\d:\d\d {2}submitted by socket/);
    const refused = await box.run(['release', 'approve', '2']);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('No licence is named.') });
    expect(await box.say('release', 'approve', '2', '--override', 'our own')).toContain('is rolling out');
    const status = await box.say('release', 'status', '2');
    expect(status).toContain('Now: step 1 of 1, 25 % of the requests');
    expect(status).toMatch(/^candidate +2 +faces:2 +25 % +ready +1 +100 +1 +2 ms +4\.25 ms$/m);
    expect(await box.say('endpoints')).toMatch(/faces:2 \(release 2\) 25 %/);
    expect(await box.say('release', 'advance', '2')).toContain('is live');
  });

  test('--follow prints each step, and its exit code says how it ended', async () => {
    await using box = await open();
    await box.say('release', 'submit', 'faces:1', '--licence', 'MIT');
    const following = box.run(['release', 'status', '1', '--follow']);
    await Bun.sleep(100);
    await box.say('release', 'approve', '1');
    const { code, out, err } = await following;
    expect(code).toBe(0);
    expect(err).toStartWith("It waits for a reviewer's decision.\n");
    const steps = out.split('\n').flatMap((line) => /^\d{4}-\S+ \S+ {2}([a-z]+)/.exec(line)?.[1] ?? []);
    expect(steps).toEqual(['created', 'submitted', 'approved', 'live']);
    expect(out).toContain('Live since ');
    await box.say('release', 'submit', 'faces:2', '--licence', 'MIT');
    await box.say('release', 'reject', '2', '--reason', 'not now');
    const rejected = await box.run(['release', 'status', '2', '--follow', '--json']);
    expect(rejected.code).toBe(1);
    expect(JSON.parse(rejected.out)).toMatchObject({ release: { state: 'rejected', reason: 'not now' } });
  });

  test('what cannot be sent to review stays a draft, and the error says so', async () => {
    await using box = await open();
    box.release.submit = () => Promise.reject(new AppError('conflict', 'Production is frozen.', 'Try on Monday.'));
    const { code, err } = await box.run(['release', 'submit', 'faces:1']);
    expect(code).toBe(1);
    expect(err).toContain('Production is frozen.');
    expect(err).toContain('Try on Monday. It is kept as draft 1');
    expect((await box.json<{ releases: ReleaseAnswer[] }>('release')).releases).toMatchObject([{ state: 'draft' }]);
  });

  test.each([
    [['submitt', 'faces'], "did you mean 'submit'"],
    [['submit'], "'submit' needs NAME[:VERSION]"],
    [['submit', 'faces:0'], 'not NAME or NAME:VERSION'],
    [['submit', 'faces', '--canary', '5'], "--canary: '5' is not PERCENT:TIME"],
    [['submit', 'faces', '--canary', '5:10m,101:1m'], "'101:1m' is not PERCENT:TIME"],
    [['submit', 'faces', '--shadow', '5:soon'], '--shadow: '],
    [['submit', 'faces', '--timeout', 'soon'], '--timeout: '],
    [['submit', 'faces', '--environment', 'prod'], 'staging, production'],
    [['submit', 'faces', '--reason', 'x'], "'submit' does not take --reason"],
    [['reject', '1'], '--reason is missing'],
    [['comment', '1'], "'comment' needs TEXT"],
    [['status', '1', '2'], "'2' is one word too many"],
    [['change', '1'], 'Nothing is to be changed'],
    [['attach', '1', '--title', 'x', '--numbers', 'fast'], "'fast' is not NAME=NUMBER"],
    [['list', '--state', 'on'], '--state: '],
  ])('wrong usage: %p', async (argv, message) => {
    await using box = await open();
    await box.say('release', 'submit', 'faces', '--draft');
    const { code, out, err } = await box.run(['release', ...argv]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

test('endpoints: all, one, and the end of one', async () => {
  await using box = await open();
  expect(await box.say('endpoints')).toContain('Nothing is live yet.');
  await box.say('release', 'submit', 'faces:1', '--licence', 'MIT', '--domain', 'faces.corp.lan');
  await box.say('release', 'approve', '1');
  const shown = await box.say('endpoints', 'faces');
  expect(shown).toContain('Hosts: faces.corp.lan, faces.models.lan.');
  expect(shown).toMatch(/^live +1 +faces:1 +100 %/m);
  expect(await box.run(['endpoints', 'rm', 'faces'])).toMatchObject({ code: 2 });
  expect(await box.run(['endpoints', 'faces', 'digits'])).toMatchObject({ code: 2 });
  expect(await box.run(['endpoints', 'faces', '--yes'])).toMatchObject({ code: 2 });
  expect(await box.say('endpoints', 'rm', 'faces', '--yes')).toContain('is removed');
  expect(await box.run(['endpoints', 'faces'])).toMatchObject({ code: 1 });
});

test('environments: all, one, and what is set there', async () => {
  await using box = await open();
  expect(await box.say('environments')).toMatch(/^production +yes +yes +smoke, licence +– +–$/m);
  expect(await box.say('environments', 'staging')).toMatch(/^needs-review +no$/m);
  const settings = [
    'four-eyes=no',
    'policy.max-p95=50ms',
    'policy.load-test=yes',
    'keep-warm=10m',
    'max-instances=none',
  ];
  const more = ['freezes=weekend|0 18 * * 5|62h|Europe/Berlin;eve|0 0 24 12 *|24h', 'devices=GPU-0,GPU-1'];
  const changed = await box.say(
    'environments',
    'production',
    ...[...settings, ...more].flatMap((each) => ['--set', each]),
  );
  expect(changed).toMatch(/^policy\.max-p95 +50 ms$/m);
  expect(changed).toMatch(/^freezes +weekend: 0 18 \* \* 5 for 62 h 0 min, Europe\/Berlin\n +eve: /m);
  expect(box.lastCall('setEnvironment')).toEqual([
    'production',
    {
      fourEyes: false,
      policy: { smoke: true, maxP95Ms: 50, evaluation: false, loadTest: true, licence: true },
      keepWarmMs: 600_000,
      maxInstances: null,
      freezes: [
        { name: 'weekend', cron: '0 18 * * 5', durationMs: 62 * 3_600_000, timeZone: 'Europe/Berlin' },
        { name: 'eve', cron: '0 0 24 12 *', durationMs: 24 * 3_600_000 },
      ],
      deviceIds: ['GPU-0', 'GPU-1'],
    },
    1,
  ]);
  for (const [setting, message] of [
    ['four-eyes', 'not SETTING=VALUE'],
    ['four-eye=yes', "did you mean 'four-eyes'"],
    ['four-eyes=maybe', '--set four-eyes: '],
    ['freezes=weekend', 'not NAME|CRON|TIME'],
    ['guard.error-margin=-1', 'not a number'],
  ] as const) {
    const { code, err } = await box.run(['environments', 'production', '--set', setting]);
    expect({ setting, code }).toEqual({ setting, code: 2 });
    expect(err).toContain(message);
  }
  expect(await box.run(['environments', '--set', 'four-eyes=no'])).toMatchObject({ code: 2 });
  expect(await box.run(['environments', 'test'])).toMatchObject({ code: 1 });
});

test('compare, tag, retention and load-test', async () => {
  await using box = await open();
  expect(await box.say('compare', 'faces:1', 'faces:2')).toEndWith('1 difference would break callers of faces:1.\n');
  expect(await box.say('compare', 'faces:1', 'faces:1')).toBe('faces:1 and faces:1 are the same.\n');
  expect(await box.run(['compare', 'faces', 'faces:1'])).toMatchObject({ code: 2 });

  expect(await box.say('tag', 'faces:2', 'candidate', 'q3', '--note', 'March')).toMatch(
    /^tags +candidate, q3\nnote +March$/m,
  );
  expect(await box.say('tag', 'faces:2', '--archive')).toMatch(/^archived +2026-/m);
  expect(await box.say('tag', 'faces:2', '--restore', '--untag')).toMatch(/^tags +none\nnote +March\narchived +no$/m);
  expect(await box.run(['tag', 'faces:2', '--restore', '--archive'])).toMatchObject({ code: 2 });
  expect(await box.run(['tag', 'faces'])).toMatchObject({ code: 2 });

  expect(await box.say('retention', 'faces')).toBe('All versions are kept.\n');
  expect(await box.run(['retention', 'faces', '--keep-last', '2'])).toMatchObject({ code: 2 });
  const kept = await box.say('retention', 'faces', '--keep-last', '2', '--keep-released', 'yes', '--yes');
  expect(kept).toBe('The newest 2 versions are kept, and those that were ever live. Removed: version 1.\n');
  expect(await box.say('retention', 'faces', '--keep-last', 'all')).toBe(
    'All versions are kept. Nothing had to be removed.\n',
  );

  await box.say('release', 'submit', 'faces:2', '--draft');
  const tested = await box.say('load-test', 'faces:2', '--seconds', '3', '--connections', '8', '--attach', '1');
  expect(tested).toMatch(/^p95Ms +3\.25$/m);
  expect(tested).toContain('It is attached to release 1.');
  expect(box.lastCall('loadTest')?.[0]).toEqual({ model: 'faces', version: 2, seconds: 3, connections: 8 });
  expect(box.lastCall('attach')).toMatchObject([1, { kind: 'load-test', numbers: { p95Ms: 3.25 } }]);
  expect(await box.run(['load-test', 'faces', '--seconds', '31'])).toMatchObject({ code: 2 });
});
