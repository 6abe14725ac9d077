// What the API says of placement, over the planner, the ledger and the log on a machine that is data.
import { describe, expect, test } from 'bun:test';

import type { Decision } from '../../../src/device/decisions.ts';
import { defaultPlacement, type PlacementSettings } from '../../../src/device/placement-settings.ts';
import type { PlacementOverview, PlacementPreview } from '../../../src/device/placement-views.ts';
import type { DeviceView } from '../../../src/http/api/devices.ts';
import { complaints } from '../../support/json-schema.ts';
import { gib, openMachine } from './placement-control.ts';

interface Failure {
  error: { code: string; message: string; hint?: string };
}

const settingsPath = (model: string) => `/api/v1/models/${model}/placement`;

describe('settings', () => {
  test('the defaults, a change, and null to take one away', async () => {
    await using machine = openMachine({ faces: { bytes: gib } });
    const { ask } = machine;
    expect(await ask('GET', settingsPath('faces'))).toEqual({ status: 200, body: defaultPlacement });
    const change = { minInstances: 1, deviceIds: ['GPU-0'], keepAliveMs: 60_000 };
    const changed = { ...defaultPlacement, ...change };
    expect(await ask('PATCH', settingsPath('faces'), change)).toEqual({ status: 200, body: changed });
    const { body } = await ask<PlacementSettings>('PATCH', settingsPath('faces'), { deviceIds: null, pinned: true });
    const { deviceIds: _, ...rest } = changed;
    expect(body).toEqual({ ...rest, pinned: true });
    expect((await ask('GET', settingsPath('faces'))).body).toEqual(body);
    expect(complaints(machine.document, body, { $ref: '#/components/schemas/PlacementSettings' })).toEqual([]);
  });

  test('a change is audited with what it was before, also when it was refused', async () => {
    await using machine = openMachine({ faces: { bytes: gib } });
    await machine.ask('PATCH', settingsPath('faces'), { pinned: true });
    await machine.ask('PATCH', settingsPath('faces'), { pinned: 1 });
    expect(machine.audit.search()).toMatchObject([
      { action: 'setPlacement', target: 'faces', result: 'failed' },
      {
        action: 'setPlacement',
        target: 'faces',
        result: 'ok',
        before: { pinned: false, priority: 50 },
        after: { pinned: true, priority: 50 },
      },
    ]);
  });

  test('a mistake is named, and nothing is changed', async () => {
    await using machine = openMachine({ faces: { bytes: gib } });
    const { ask } = machine;
    for (const [patch, message] of [
      [{ priority: 101 }, 'priority must be a whole number from 0 to 100, not 101.'],
      [{ pinned: true, minInstances: 2 }, 'minInstances (2) is more than maxInstances (1).'],
      [{ prioritty: 1 }, "Placement has no setting 'prioritty'."],
      [[], 'body'],
      ['pinned', 'body'],
    ] as const) {
      const { status, body } = await ask<Failure>('PATCH', settingsPath('faces'), patch);
      expect({ status, ...body.error }).toMatchObject({ status: 400, code: 'invalid' });
      expect(body.error.message).toContain(message);
    }
    expect((await ask('GET', settingsPath('faces'))).body).toEqual(defaultPlacement);
    for (const method of ['GET', 'PATCH']) {
      const { status } = await ask(method, settingsPath('absent'), method === 'PATCH' ? {} : undefined);
      expect(status).toBe(404);
    }
  });
});

describe('preview', () => {
  const preview = (machine: ReturnType<typeof openMachine>, body: object) =>
    machine.ask<PlacementPreview>('POST', '/api/v1/placement/preview', body);

  test('says where a cold version would start, and what was passed over', async () => {
    await using machine = openMachine({ faces: { bytes: 3 * gib } });
    const { status, body } = await preview(machine, { model: 'faces' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: 'faces', version: 1, evictions: [], refusals: [] });
    expect(body.ways.map(({ provider, measured }) => [provider, measured])).toEqual([
      ['cuda', true],
      ['cpu', false],
    ]);
    expect(body.passedOver).toMatchObject([{ provider: 'tensorrt' }]);
    expect(body.placements).toMatchObject([
      { version: 'faces:1', deviceId: 'GPU-0', provider: 'cuda', bytes: 3 * gib },
    ]);
    expect(complaints(machine.document, body, { $ref: '#/components/schemas/PlacementPreview' })).toEqual([]);
  });

  test('names what would have to go, and changes nothing', async () => {
    await using machine = openMachine({ faces: { bytes: 30 * gib }, old: { bytes: 50 * gib } });
    machine.start('1', 'old');
    const before = (await machine.ask('GET', '/api/v1/placement')).body;
    const { body } = await preview(machine, { model: 'faces', version: 1, settings: { priority: 60, pinned: true } });
    expect(body.evictions).toMatchObject([{ instanceId: '1', version: 'old:1', deviceId: 'GPU-0' }]);
    expect(body.evictions[0]!.reason).toContain('makes room for faces:1');
    expect(body.placements).toMatchObject([{ version: 'faces:1', after: ['1'] }]);
    expect((await machine.ask('GET', '/api/v1/placement')).body).toEqual(before);
    expect((await machine.ask('GET', settingsPath('faces'))).body).toEqual(defaultPlacement);
    expect(complaints(machine.document, body, { $ref: '#/components/schemas/PlacementPreview' })).toEqual([]);
  });

  test('says why there is no room, and what to do', async () => {
    await using machine = openMachine({ huge: { bytes: 500 * gib } });
    const { body } = await preview(machine, { model: 'huge', settings: { deviceIds: ['GPU-0'] } });
    expect(body.placements).toEqual([]);
    expect(body.refusals).toMatchObject([{ version: 'huge:1', missing: 1 }]);
    expect(body.refusals[0]!.reason).toContain('needs 500 GiB; NVIDIA H100 #0 has 68 GiB');
    expect(body.refusals[0]!.reason).toContain('python3, pid 77');
    expect(body.refusals[0]!.hint).toContain('smaller batch');
    expect(complaints(machine.document, body, { $ref: '#/components/schemas/PlacementPreview' })).toEqual([]);
  });

  test.each([
    [{}, 400],
    [{ model: 'faces', version: 0 }, 400],
    [{ model: 'faces', version: 'one' }, 400],
    [{ model: 'faces', settings: { maxInstances: 0 } }, 400],
    [{ model: 'faces', setings: {} }, 400],
    [{ model: 'faces', version: 2 }, 404],
    [{ model: 'absent' }, 404],
    [{ model: '__proto__' }, 404],
  ])('%j is answered with %i', async (body, status) => {
    await using machine = openMachine({ faces: { bytes: gib } });
    expect((await preview(machine, body)).status).toBe(status);
  });
});

test('the overview adds up: capacity is what others use, instances hold, is kept free and is left', async () => {
  await using machine = openMachine({ faces: { bytes: 3 * gib }, digits: { bytes: gib } });
  machine.start('1', 'faces', { leases: 2, pinned: true });
  const { body } = await machine.ask<PlacementOverview>('GET', '/api/v1/placement');
  expect(complaints(machine.document, body, { $ref: '#/components/schemas/PlacementOverview' })).toEqual([]);
  expect(body.accounts.map(({ deviceId }) => deviceId)).toEqual(['GPU-0', 'cpu']);
  for (const { capacityBytes, usedByOthersBytes, heldBytes, reserveBytes, availableBytes } of body.accounts) {
    expect(usedByOthersBytes + heldBytes + reserveBytes + availableBytes).toBe(capacityBytes);
  }
  expect(body.accounts[0]).toMatchObject({ heldBytes: 3 * gib, others: [{ pid: 77, name: 'python3' }] });
  expect(body.holdings).toMatchObject([{ instance: '1', model: 'faces', bytes: 3 * gib, leases: 2, pinned: true }]);
  expect(body.versions).toMatchObject([
    { model: 'faces', state: 'ready', instances: 1 },
    { model: 'digits', state: 'cold', reason: 'It is started when it is asked for.' },
  ]);

  const { body: listed } = await machine.ask<{ devices: DeviceView[] }>('GET', '/api/v1/devices');
  expect(complaints(machine.document, listed, { $ref: '#/components/schemas/DeviceList' })).toEqual([]);
  for (const [i, { memory }] of listed.devices.entries()) {
    const { deviceId: _, others: __, ...books } = body.accounts[i]!;
    expect(memory).toEqual(books);
  }
  const { body: instances } = await machine.ask<{ instances: object[] }>('GET', '/api/v1/instances');
  expect(complaints(machine.document, instances, { $ref: '#/components/schemas/InstanceList' })).toEqual([]);
  expect(instances.instances).toMatchObject([
    { provider: 'cuda', device: 'GPU-0', heldBytes: 3 * gib, measured: true },
  ]);
});

test('decisions: newest first, by model and kind, a page at a time', async () => {
  await using machine = openMachine({ faces: { bytes: gib } });
  for (let i = 0; i < 150; i++) {
    machine.log.add({ kind: i % 2 ? 'placed' : 'evicted', model: i % 3 ? 'faces' : 'digits', reason: String(i) });
  }
  const list = async (query: string) => {
    const { body } = await machine.ask<{ decisions: Decision[] }>('GET', `/api/v1/placement/decisions${query}`);
    expect(complaints(machine.document, body, { $ref: '#/components/schemas/DecisionList' })).toEqual([]);
    return body.decisions;
  };
  const newest = await list('');
  expect(newest.map(({ reason }) => Number(reason))).toEqual(Array.from({ length: 100 }, (_, i) => 149 - i));
  const rest = await list(`?before=${newest.at(-1)!.id}&limit=1000`);
  expect(rest.map(({ reason }) => Number(reason))).toEqual(Array.from({ length: 50 }, (_, i) => 49 - i));
  const some = await list('?model=faces&kind=placed&limit=3');
  expect(some.map(({ reason }) => reason)).toEqual(['149', '145', '143']);
  expect(await list('?model=absent')).toEqual([]);
  for (const query of ['kind=moved-on', 'limit=0', 'limit=1001', 'limit=ten', 'before=0', 'colour=red']) {
    const { status, body } = await machine.ask<Failure>('GET', `/api/v1/placement/decisions?${query}`);
    expect({ query, status, code: body.error.code }).toEqual({ query, status: 400, code: 'invalid' });
    expect(body.error.message).toContain(`'${/colour|[^=]+$/.exec(query)![0]}'`);
  }
});
