// The page and the OpenAPI document of one endpoint: true of what it serves, safe against what it is called, and with
// examples that a server answers as they stand.
import { expect, test } from 'bun:test';

import type { Control } from '../../src/http/api/control.ts';
import { answerEndpointDocs, findEndpointDocs } from '../../src/http/endpoint-docs.ts';
import {
  createEndpointDocument,
  type EndpointDocument,
  type ServedEndpoint,
} from '../../src/http/endpoint-document.ts';
import type { Operation } from '../../src/http/openapi.ts';
import type { Signature, VersionRecord } from '../../src/types.ts';
import { zerosExample } from '../../web/zeros-example.ts';
import { build, node, smallCnn, twoInputs, value } from '../support/graphs.ts';
import { startAppliance } from './api/appliance.ts';

const signature: Signature = {
  inputs: [
    { name: 'age', datatype: 'FP32', shape: [-1, 1], dimNames: ['batch', ''] },
    { name: 'code', datatype: 'INT64', shape: [-1, 2], dimNames: ['batch', ''] },
  ],
  outputs: [{ name: 'risk', datatype: 'FP32', shape: [-1, 2] }],
};

const fraud: ServedEndpoint = {
  name: 'fraud',
  environment: 'production',
  hosts: ['fraud.corp.lan', 'fraud.models.corp.lan'],
  version: 7,
  signature,
  manifest: {
    task: 'tabular-classification',
    preprocess: {
      kind: 'table',
      columns: [
        { name: 'age', kind: 'number' },
        { name: 'code', kind: 'category', categories: ['a', 'b'] },
        { name: 'note', kind: 'category', categories: ['x'], fallback: 'x' },
      ],
    },
  },
  timeoutMs: 2000,
  ratePerSecond: 50,
};

/** A control that serves the given endpoints alone. */
function controlOf(...endpoints: ServedEndpoint[]): Control {
  const find = (name: string) => endpoints.find((each) => each.name === name);
  const table = endpoints.map(({ name, environment, ratePerSecond, version, signature, timeoutMs }) => {
    const route = { model: name, registered: `${name}-model`, version, signature, timeoutMs };
    return [name, { name, traffic: { environment, ratePerSecond, shares: [{ route, share: 1 }] } }] as const;
  });
  const silent = ['idle', { name: 'idle', traffic: { environment: 'staging', shares: [] } }] as const;
  return {
    plane: { table: new Map<string, unknown>([...table, silent, ['loaded', { name: 'loaded' }]]) },
    registry: { getVersion: (model: string) => ({ manifest: find(model.replace(/-model$/, ''))!.manifest }) },
    release: { endpoint: (name: string) => ({ endpoint: { hosts: find(name)!.hosts } }) },
  } as unknown as Control;
}

const origin = 'https://gpu-box.corp.lan:8700';
const page = (control: Control, name: string) => answerEndpointDocs({ name, form: 'page' }, control, origin).text();
const operation = (document: EndpointDocument, path: string) => Object.values(document.paths[path]!)[0] as Operation;
const exampleOf = ({ requestBody }: Operation) => requestBody!.content['application/json']!.example;

test('which paths are meant', () => {
  expect(findEndpointDocs('/docs/endpoints/faces')).toEqual({ name: 'faces', form: 'page' });
  expect(findEndpointDocs('/openapi/endpoints/a%20b.json')).toEqual({ name: 'a b', form: 'document' });
  for (const path of [
    '/docs',
    '/docs/endpoints/',
    '/docs/endpoints/a/b',
    '/openapi/endpoints/a',
    '/docs/endpoints/%zz',
  ]) {
    expect(findEndpointDocs(path)).toBeUndefined();
  }
});

test('the document has the real inputs, a whole row, its addresses and its limits', async () => {
  const answer = answerEndpointDocs({ name: 'fraud', form: 'document' }, controlOf(fraud), origin);
  const document = (await answer.json()) as EndpointDocument;
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toEqual([
    '/v1/models/fraud/predict',
    '/v2/models/fraud/infer',
    '/v2/models/fraud/ready',
  ]);
  expect(document.servers.map(({ url }) => url)).toEqual([
    origin,
    'https://fraud.corp.lan:8700',
    'https://fraud.models.corp.lan:8700',
  ]);
  expect(document.info).toMatchObject({ title: 'fraud', version: '7', 'x-timeout-ms': 2000, 'x-rate-per-second': 50 });
  expect(document.security).toEqual([{ key: [] }, { bearer: [] }]);
  const { Input2, InferRequest } = document.components.schemas;
  expect(Input2).toMatchObject({
    title: 'code',
    properties: { datatype: { const: 'INT64' }, shape: { minItems: 2, prefixItems: [{ minimum: 1 }, { const: 2 }] } },
  });
  expect(InferRequest).toMatchObject({ properties: { inputs: { minItems: 2, maxItems: 2 } } });
  expect(exampleOf(operation(document, '/v2/models/fraud/infer'))).toEqual({
    inputs: [
      { name: 'age', shape: [1, 1], datatype: 'FP32', data: [0.5] },
      { name: 'code', shape: [1, 2], datatype: 'INT64', data: [1, 1] },
    ],
  });
  expect(exampleOf(operation(document, '/v1/models/fraud/predict'))).toEqual({
    rows: [{ age: 1, code: 'a', note: 'x' }],
  });
  const references = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!);
  expect(references.filter((name) => !(name in document.components.schemas))).toEqual([]);
});

test('the page says where, with what and how; it takes nothing from elsewhere', async () => {
  const text = await page(controlOf(fraud), 'fraud');
  expect(text).toContain('POST https://fraud.models.corp.lan:8700/infer');
  expect(text).toContain('Version 7 answers now (production).');
  expect(text).toContain('All callers together may send 50 requests a second.');
  expect(text).toContain('href="/openapi/endpoints/fraud.json"');
  for (const title of ['curl', 'Python', 'TypeScript', 'tritonclient']) expect(text).toContain(`<h3>${title}</h3>`);
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target!);
  expect(text).not.toMatch(/<script|<style|style="|(?:src|href)="(?:https?:)?\/\//);
  expect(text).not.toMatch(/undefined|\[object Object\]/);
});

test('what serves nothing has no page', () => {
  const control = controlOf(fraud);
  for (const name of ['absent', 'idle', 'loaded', '__proto__']) {
    expect(() => answerEndpointDocs({ name, form: 'page' }, control, origin)).toThrow('No endpoint');
  }
});

test('names of endpoints, tensors and columns are text, whatever they are', async () => {
  const evil = `x'"><script>alert(1)</script>`;
  const inputs = [{ name: evil, datatype: 'FP32' as const, shape: [-1, 2], dimNames: [evil, evil] }];
  const columns = [{ name: evil, kind: 'category' as const, categories: [evil] }];
  const manifest = { task: 'tabular-regression' as const, preprocess: { kind: 'table' as const, columns } };
  const served = { ...fraud, name: evil, hosts: [evil], signature: { inputs, outputs: inputs }, manifest };
  const text = await page(controlOf({ ...served, hosts: [] }), evil);
  expect(text).not.toContain('<script');
  expect(text).not.toContain(`models/x'`);
  const foreign = answerEndpointDocs(
    { name: evil, form: 'page' },
    controlOf({ ...served, hosts: [] }),
    `http://x'$(id)`,
  );
  expect(await foreign.text()).not.toContain('$(id)');
});

test('what is too long to be written out is sent as zeros, in any datatype', () => {
  const inputs = [
    { name: 'image', datatype: 'FP16' as const, shape: [-1, 3, 224, 224] },
    { name: 'words', datatype: 'BYTES' as const, shape: [2] },
  ];
  const outputs = [{ name: 'y', datatype: 'BF16' as const, shape: [1] }];
  const served = { ...fraud, signature: { inputs, outputs }, manifest: { task: 'tensor' as const } };
  const document = createEndpointDocument(served, origin);
  expect(exampleOf(operation(document, '/v2/models/fraud/infer'))).toBeUndefined();
  const { text } = zerosExample({ ...served, origin, name: 'fraud' });
  expect(text).toContain(`head -c ${3 * 224 * 224 * 2 + 8} /dev/zero`);
  expect(text).toContain('"binary_data_output":true');
  expect(text).toEndWith('-o answer.bin');
});

test('a server answers the examples as they stand', async () => {
  await using appliance = await startAppliance({ unreleased: 'everyone', openTo: '127.0.0.0/8' });
  await appliance.ask('POST', '/api/v1/setup', {
    token: new URLSearchParams(appliance.setupUrl!.split('?')[1]).get('token'),
    name: 'admin',
    password: 'correct horse battery staple',
  });
  const long = build({
    node: [node('Identity', ['x'], ['y'])],
    input: [value('x', 'FP32', ['n', 5000])],
    output: [value('y', 'FP32', ['n', 5000])],
  });
  for (const [name, bytes] of Object.entries({ cnn: smallCnn(), two: twoInputs(), long })) {
    await appliance.ask('POST', `/api/v1/models/${name}/versions`, bytes);
    const { body } = await appliance.ask<VersionRecord>('GET', `/api/v1/models/${name}/versions/1`);
    const served = { ...fraud, name, signature: body.signature, manifest: body.manifest };
    const example = exampleOf(operation(createEndpointDocument(served, appliance.url), `/v2/models/${name}/infer`));
    if (example !== undefined) {
      const answer = await appliance.ask('POST', `/v2/models/${name}/infer`, example);
      expect({ name, status: answer.status }).toEqual({ name, status: 200 });
    }
    expect(example === undefined).toBe(name === 'long');
    const { text } = zerosExample({ ...served, origin: appliance.url, name });
    if (Bun.which('curl') === null) continue;
    const child = Bun.spawn(['sh', '-c', text.replace(/ -H "X-API-Key[^"]*"/, '')], {
      stdout: 'pipe',
      stderr: 'ignore',
    });
    expect(JSON.parse(await child.stdout.text())).toMatchObject({ model_name: name, model_version: '1' });
  }
  // Without a key a person is led to the sign-in where nothing was opened, and a program is refused.
  await using closed = await startAppliance();
  const led = await fetch(`${closed.url}/docs/endpoints/cnn`, { redirect: 'manual' });
  expect([led.status, led.headers.get('location')]).toEqual([303, '/sign-in?next=%2Fdocs%2Fendpoints%2Fcnn']);
  expect((await fetch(`${closed.url}/openapi/endpoints/cnn.json`)).status).toBe(401);
  expect((await closed.ask('GET', '/openapi/endpoints/cnn.json')).status).toBe(404);
});
