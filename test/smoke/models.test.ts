// Real models through the executable: a full SqueezeNet with its published output, and a template on a real photo.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { Appliance, discard, sharedData, unpack } from './appliance.ts';
import { inferBinary, inferJson, jsonBody } from './oip.ts';
import { numbersOf, readTensorFile } from './tensors.ts';

const squeezenet = join(sharedData, 'light/light_squeezenet.onnx');
const photo = join(import.meta.dir, '../../.cache/samples/face.jpg');

let home: string;
let appliance: Appliance;
const send = (path: string, init: RequestInit) => appliance.fetch(path, init);

beforeAll(async () => {
  home = await unpack();
  appliance = await Appliance.start({ home });
});

afterAll(async () => {
  await appliance?.stop();
  await discard(home);
});

test.skipIf(!existsSync(squeezenet))('SqueezeNet gives its published output (needs ../shared/data)', async () => {
  await appliance.command('push', 'squeezenet', squeezenet);
  const model = await appliance.json<{ inputs: { name: string; shape: number[] }[] }>('/v2/models/squeezenet');
  const { name, shape } = model.inputs[0]!;
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, (_, index) => index / count);
  const input = { name, datatype: 'FP32' as const, shape, bytes: new Uint8Array(values.buffer) };

  const expected = await readTensorFile(squeezenet.replace('.onnx', '_output_0.pb'), '');
  const binary = await inferBinary(send, 'squeezenet', [input]);
  expect(binary).toMatchObject({ status: 200, version: '1' });
  expect(binary.outputs[0]!.shape).toEqual(expected.shape);
  const wanted = numbersOf(expected) as Float32Array;
  const given = numbersOf(binary.outputs[0]!) as Float32Array;
  const worst = Math.max(...wanted.map((value, index) => Math.abs(value - given[index]!)));
  expect(worst).toBeLessThan(1e-3 * Math.max(...wanted.map(Math.abs)));

  const json = await inferJson(send, 'squeezenet', jsonBody([input])!);
  expect(Buffer.from(json.outputs[0]!.bytes).equals(binary.outputs[0]!.bytes)).toBeTrue();
});

interface Detections {
  objects: { label: string; score: number; box: { x: number; y: number; width: number; height: number } }[];
  image: { width: number; height: number };
}

test('the face template finds faces in a photo, by HTTP and by command, and draws them', async () => {
  await appliance.command('install', 'face-detection', 'faces');
  const response = await appliance.fetch('/v1/models/faces/predict', { method: 'POST', body: Bun.file(photo) });
  expect(response.status).toBe(200);
  const { objects, image } = (await response.json()) as Detections;
  expect(objects.length).toBeGreaterThan(0);
  for (const { score, box } of objects) {
    expect(score).toBeGreaterThan(0.5);
    expect(box.x + box.width / 2).toBeWithin(0, image.width);
    expect(box.y + box.height / 2).toBeWithin(0, image.height);
  }
  const drawn = join(home, 'drawn.png');
  const answer = await appliance.command<Detections>('predict', 'faces', photo, '--draw', drawn);
  expect(answer.objects).toEqual(objects);
  expect(await new Bun.Image(await Bun.file(drawn).bytes()).metadata()).toMatchObject({ format: 'png', ...image });
});

test('describes itself without the network', async () => {
  const document = await appliance.json<{ openapi: string; paths: Record<string, unknown> }>('/openapi.json');
  expect(document.openapi).toStartWith('3.1');
  expect(Object.keys(document.paths).length).toBeGreaterThan(15);
  const page = await (await appliance.fetch('/docs')).text();
  expect(page).toContain('/v1/models/');
  expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  const metrics = await (await appliance.fetch('/metrics')).text();
  expect(metrics).toMatch(/^nv_inference_request_success\{.*model="faces".*\} [1-9]/m);
});

test('what is in use is not removed, and removal leaves nothing to call', async () => {
  const refused = await appliance.run('rm', 'faces', '--yes');
  expect(refused.code).toBe(1);
  await appliance.command('unload', 'faces');
  await appliance.command('rm', 'faces', '--yes');
  expect((await appliance.fetch('/v2/models/faces/infer', { method: 'POST', body: '{}' })).status).toBe(404);
});
