// Restarting an instance and reading what it printed, through the API.
import { afterAll, beforeAll, expect, test } from 'bun:test';

import type { InstanceStatus } from '../../../src/inference/instance-status.ts';
import { addScalar } from '../../support/graphs.ts';
import { startAppliance } from './appliance.ts';

let appliance: Awaited<ReturnType<typeof startAppliance>>;
beforeAll(async () => {
  appliance = await startAppliance();
  const headers = { 'content-type': 'application/octet-stream' };
  await appliance.ask('POST', '/api/v1/models/m/versions?filename=m.onnx', addScalar(1), headers);
});
afterAll(() => appliance[Symbol.asyncDispose]());

const list = async () =>
  (await appliance.ask<{ instances: InstanceStatus[] }>('GET', '/api/v1/instances')).body.instances;

test('an instance says what it printed, and another takes its place when it is restarted', async () => {
  const [first] = await list();
  const { status, body } = await appliance.ask<{ lines: string[] }>('GET', `/api/v1/instances/${first!.id}/log`);
  expect([status, body.lines.join()]).toEqual([200, expect.stringContaining('warmed up in')]);
  expect((await appliance.ask('POST', `/api/v1/instances/${first!.id}/restart`)).status).toBe(204);
  const next = (await list()).find(({ state }) => state !== 'stopped');
  expect(next!.pid).not.toBe(first!.pid);
  const { entries } = (await appliance.ask<{ entries: object[] }>('GET', '/api/v1/audit?action=restartInstance')).body;
  expect(entries).toMatchObject([{ target: 'm:1', result: 'ok', after: { instance: first!.id } }]);
});

test('of one that is not there neither', async () => {
  expect((await appliance.ask('POST', '/api/v1/instances/999/restart')).status).toBe(404);
  expect((await appliance.ask('GET', '/api/v1/instances/999/log')).status).toBe(404);
});

test('a version is derived of another, and uploads are looked at, without a page', async () => {
  const path = '/api/v1/models/m/versions/1/derive';
  const made = await appliance.ask<{ versions: object[] }>('POST', path, { manifest: { licence: 'MIT' }, load: false });
  expect(made.status).toBe(201);
  expect(made.body.versions).toMatchObject([
    { version: 2, state: 'unloaded', manifest: { licence: 'MIT', origin: { kind: 'version', from: 'm:1' } } },
  ]);
  expect((await appliance.ask('POST', path, { manifest: { licence: '<' } })).status).toBe(400);
  expect((await appliance.ask('POST', path, { manifest: 'x' })).status).toBe(400);
  expect((await appliance.ask('POST', '/api/v1/models/m/versions/9/derive', { manifest: {} })).status).toBe(404);
  expect((await appliance.ask('POST', '/api/v1/imports/preview', { files: [] })).status).toBe(400);
});

test('what an import came to is told when it is over, as a command sees it too', async () => {
  const headers = { 'content-type': 'application/octet-stream', accept: 'application/x-ndjson' };
  await appliance.ask('POST', '/api/v1/models/n/versions?filename=n.onnx', addScalar(1), headers);
  await appliance.ask('POST', '/api/v1/models/n/versions?filename=n.onnx', new Uint8Array(9), headers);
  const { entries } = (await appliance.ask<{ entries: object[] }>('GET', '/api/v1/audit?action=addVersion')).body;
  expect(entries).toMatchObject([
    { target: 'n', result: 'failed' },
    { target: 'n:1', result: 'ok' },
    { target: 'm:1', result: 'ok' },
  ]);
});
