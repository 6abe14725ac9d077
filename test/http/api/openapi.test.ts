// The OpenAPI document and its page: complete, consistent, true of real answers, and safe against a hostile Host.
import { afterAll, beforeAll, expect, test } from 'bun:test';

import { errorCodes } from '../../../src/error.ts';
import { schemas } from '../../../src/http/api/schemas.ts';
import type { ApiDocument, JsonSchema } from '../../../src/http/openapi.ts';
import { addScalar } from '../../support/graphs.ts';
import { complaints, resolve } from '../../support/json-schema.ts';
import { buildNvmlStub, driver, gpu, hasCompiler, type NvmlStub } from '../../support/nvml.ts';
import { startAppliance } from './appliance.ts';

let appliance: Awaited<ReturnType<typeof startAppliance>>;
let document: ApiDocument;
let stub: NvmlStub | undefined;

beforeAll(async () => {
  stub = hasCompiler ? await buildNvmlStub() : undefined;
  stub?.play(driver, gpu('GPU-0'), 'process gpu=0 pid=1 used=1024 name=other');
  appliance = await startAppliance({}, { nvmlPath: stub?.path });
  document = (await appliance.ask<ApiDocument>('GET', '/openapi.json')).body;
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
  stub?.remove();
});

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** Every object anywhere in the document. */
function* objects(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objects(inner);
}

test('every reference resolves, every operation has an id of its own', () => {
  expect(document.openapi).toBe('3.1.0');
  const references = [...objects(document)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
  expect(references.length).toBeGreaterThan(50);
  expect(references.filter((reference) => resolve(document, reference) === undefined)).toEqual([]);
  const ids = operations().map(({ operation }) => operation.operationId);
  expect(ids.every((id) => /^[a-zA-Z]+$/.test(id))).toBeTrue();
  expect(new Set(ids).size).toBe(ids.length);
  expect(Object.keys(document.components.responses).sort()).toEqual([...errorCodes].sort());
});

test('the parameters of a path are exactly those described', () => {
  for (const { path, operation } of operations()) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const described = (operation.parameters ?? []).filter((each) => each.in === 'path').map(({ name }) => name);
    expect(described).toEqual(named);
    expect(operation.tags.every((tag) => document.tags.some(({ name }) => name === tag))).toBeTrue();
    expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBeTrue();
  }
});

test('what is described exists, for every path and method', async () => {
  for (const { path, method } of operations()) {
    const filled = path.replace('{version}', '1').replace(/\{\w+\}/g, 'absent');
    const { status, body } = await appliance.ask(method.toUpperCase(), filled, method === 'get' ? undefined : {});
    expect(status).not.toBe(405);
    const text = JSON.stringify(body);
    expect(`${method} ${path} ${text}`).not.toContain('nothing at this path');
    expect(text).not.toContain('"Not Found"');
    expect(status).toBeLessThan(500);
  }
});

test('real answers have the shape that is described', async () => {
  const manifest = { labels: ['a'], description: 'adds', licence: 'MIT' };
  const bytes = addScalar(1);
  const upload = await appliance.ask<{ id: string }>('POST', '/api/v1/uploads', { bytes: bytes.length });
  await appliance.ask('PATCH', `/api/v1/uploads/${upload.body.id}`, bytes, { 'upload-offset': '0' });
  const files = [{ uploadId: upload.body.id, path: 'm.onnx' }];
  const pushed = await appliance.ask('POST', '/api/v1/models/m/versions', { files, manifest });
  const answers = {
    Upload: upload.body,
    Versions: pushed.body,
    ...Object.fromEntries(
      await Promise.all(
        (
          [
            ['Info', '/api/v1'],
            ['ModelList', '/api/v1/models'],
            ['Model', '/api/v1/models/m'],
            ['Version', '/api/v1/models/m/versions/1'],
            ['InstanceList', '/api/v1/instances'],
            ['DeviceList', '/api/v1/devices'],
            ['Findings', '/api/v1/doctor'],
            ['TemplateList', '/api/v1/templates'],
            ['PlacementSettings', '/api/v1/models/m/placement'],
            ['PlacementOverview', '/api/v1/placement'],
            ['DecisionList', '/api/v1/placement/decisions'],
            ['Error', '/api/v1/models/absent'],
            ['ModelMetadata', '/v2/models/m'],
            ['ServerMetadata', '/v2'],
            ['ModelReady', '/v2/models/m/ready'],
            ['ModelStatistics', '/v2/models/m/stats'],
            ['ProtocolError', '/v2/models/absent'],
          ] as const
        ).map(async ([name, path]) => [name, (await appliance.ask('GET', path)).body] as const),
      ),
    ),
  };
  for (const [name, answer] of Object.entries(answers)) {
    expect(complaints(document, answer, { $ref: `#/components/schemas/${name}` }, name)).toEqual([]);
  }
});

test('the examples fit their schemas', () => {
  const media = [...objects(document)].filter((each) => 'schema' in each && 'example' in each && !('in' in each));
  expect(media.length).toBeGreaterThan(5);
  for (const { schema, example } of media as { schema: JsonSchema; example: unknown }[]) {
    if (schema.$ref === '#/components/schemas/TaskAnswer') {
      expect(complaints(document, example, schemas.DetectionAnswer)).toEqual([]);
    } else {
      expect(complaints(document, example, schema)).toEqual([]);
    }
  }
});

test('the page has every operation, takes nothing from elsewhere and trusts no Host', async () => {
  const page = await appliance.fetch('/docs', { headers: { host: 'gpu-box.lan:8700' } });
  const text = await page.text();
  for (const { operation } of operations()) expect(text).toContain(`id="${operation.operationId}"`);
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target!);
  expect(text).toContain('http://gpu-box.lan:8700/v1/models/');
  expect(text).not.toMatch(/<script|<style|style="|(?:src|href)="(?:https?:)?\/\//);
  expect(text).not.toMatch(/undefined|\[object Object\]/);
  expect(page.headers.get('content-security-policy')).toStartWith("default-src 'none'; style-src 'self'");
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');

  const css = await appliance.fetch('/assets/docs.css');
  expect(css.headers.get('content-type')).toContain('text/css');
  expect(await css.text()).not.toMatch(/url\(|@import/);

  const hostile = await appliance.fetch('/docs', { headers: { host: `x'$(reboot)"><script>` } }).catch(() => undefined);
  if (hostile) expect(await hostile.text()).not.toMatch(/reboot|<script/);
});
