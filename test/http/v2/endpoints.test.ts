// Every endpoint beside inference: health, metadata, configuration, statistics, the repository; methods and routes.
import { afterAll, beforeEach, describe, expect, test } from 'bun:test';

import { AppError } from '../../../src/error.ts';
import { createV2 } from '../../../src/http/v2/routes.ts';
import { Harness, limits } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());
beforeEach(() => void harness.controlCalls.splice(0));

describe('health', () => {
  test('live and ready', async () => {
    expect((await harness.get('/v2/health/live')).json()).toEqual({ live: true } as never);
    const ready = await harness.get('/v2/health/ready');
    expect([ready.status, ready.json()]).toEqual([200, { ready: true } as never]);
  });

  test('is not ready while a version starts, and not held up by one that was given up', async () => {
    harness.serveIdentity('slow', 'FP32', [1]);
    harness.plane.setState('slow', 'starting', 'no instance yet');
    const starting = await harness.get('/v2/health/ready');
    expect([starting.status, starting.json()]).toEqual([503, { ready: false } as never]);
    harness.plane.setState('slow', 'failed', 'gave up');
    expect((await harness.get('/v2/health/ready')).status).toBe(200);
  });
});

describe('metadata', () => {
  test('of the server names only extensions that work', async () => {
    for (const path of ['/v2', '/v2/']) {
      const { json } = await harness.get(path);
      expect(json()).toMatchObject({ name: 'aimass', version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
      expect(json().extensions).toEqual([
        'classification',
        'model_repository',
        'schedule_policy',
        'model_configuration',
        'statistics',
        'binary_tensor_data',
        'parameters',
      ]);
    }
  });

  test('of a model', async () => {
    for (const path of ['/v2/models/simple', '/v2/models/simple/versions/1']) {
      const reply = await harness.get(path);
      expect(reply.json()).toEqual({
        name: 'simple',
        versions: ['1'],
        platform: 'onnxruntime_onnx',
        inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [-1, 16] })),
        outputs: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [-1, 16] })),
      } as never);
    }
  });

  test('ready of a model', async () => {
    const ready = await harness.get('/v2/models/simple/ready');
    expect([ready.status, ready.json()]).toEqual([200, { name: 'simple', ready: true } as never]);
    harness.serveIdentity('lost', 'FP32', [1]);
    harness.plane.setState('lost', 'failed', 'gave up');
    for (const path of ['/v2/models/lost/ready', '/v2/models/simple/versions/7/ready', '/v2/models/nobody/ready']) {
      const reply = await harness.get(path);
      expect([reply.status, reply.json()]).toEqual([400, { error: 'Model version not ready' } as never]);
    }
  });

  test('configuration in ModelConfig names, without the batch dimension', async () => {
    expect((await harness.get('/v2/models/simple/config')).json()).toMatchObject({
      name: 'simple',
      platform: 'onnxruntime_onnx',
      max_batch_size: 8,
      input: ['INPUT0', 'INPUT1'].map((name) => ({ name, data_type: 'TYPE_INT32', dims: [16] })),
      dynamic_batching: {
        preferred_batch_size: [],
        max_queue_delay_microseconds: 0,
        default_queue_policy: { timeout_action: 'REJECT', max_queue_size: 0 },
      },
      instance_group: [{ kind: 'KIND_CPU', count: 1 }],
    });
    const fixed = (await harness.get('/v2/models/fixed/versions/1/config')).json();
    expect(fixed).toMatchObject({ max_batch_size: 0, input: [{ dims: [4] }] });
    expect('dynamic_batching' in fixed).toBe(false);
    const text = (await harness.get('/v2/models/identity_BYTES/config')).json();
    expect(text).toMatchObject({ input: [{ data_type: 'TYPE_STRING', dims: [-1] }] });
    const scalar = (await harness.get('/v2/models/scalar/config')).json();
    expect(scalar).toMatchObject({ input: [{ dims: [1], reshape: { shape: [] } }] });
  });
});

describe('statistics', () => {
  test('count rows, runs and failures', async () => {
    const data = [1, 2, 3, 4];
    const body = (shape: number[]) => ({ inputs: [{ name: 'x', datatype: 'FP32', shape, data }] });
    expect((await harness.infer('scalar', body([4]))).status).toBe(200);
    for (const path of ['/v2/models/scalar/stats', '/v2/models/scalar/versions/1/stats']) {
      const { model_stats } = (await harness.get(path)).json();
      expect(model_stats).toMatchObject([
        {
          name: 'scalar',
          version: '1',
          last_inference: expect.any(Number),
          inference_count: 4,
          execution_count: 1,
          inference_stats: {
            success: { count: 1, ns: expect.any(Number) },
            fail: { count: 0, ns: 0 },
            queue: { count: 1 },
            compute_input: { count: 1 },
            compute_infer: { count: 1 },
            compute_output: { count: 1 },
          },
          batch_stats: [{ batch_size: 4, compute_input: { count: 1 }, compute_infer: { count: 1 } }],
          memory_usage: [],
        },
      ]);
    }
    const all = (await harness.get('/v2/models/stats')).json().model_stats as { name: string }[];
    expect(all.map(({ name }) => name)).toContain('simple');
    expect((await harness.get('/v2/models/nobody/stats')).status).toBe(404);
  });
});

const second = (state: string, reason: string) => ({ name: 'states', version: '2', state, reason });

describe('the repository', () => {
  test('lists every version with its state', async () => {
    const other = new Harness();
    other.serveIdentity('states', 'FP32', [1], { version: 1 });
    other.serveIdentity('states', 'FP32', [1], { version: 2 });
    other.plane.getModel('states').versions.delete(1);
    const entries = async (body: string | null) => {
      const reply = await other.send('POST', '/v2/repository/index', body);
      return (reply.json() as unknown as { name: string }[]).filter(({ name }) => name === 'states');
    };
    const unloaded = { name: 'states', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' };
    expect(await entries(null)).toEqual([unloaded, second('READY', '')]);
    expect(await entries('{"ready":true}')).toEqual([second('READY', '')]);
    for (const [state, shown] of [
      ['starting', 'LOADING'],
      ['unloading', 'UNLOADING'],
      ['failed', 'UNAVAILABLE'],
    ] as const) {
      other.plane.setState('states', state, 'why');
      expect(await entries('{"ready":false}')).toEqual([unloaded, second(shown, 'why')]);
      expect(await entries('{"ready":true}')).toEqual([]);
    }
    other.close();
  });

  test('loads and unloads with an empty answer', async () => {
    for (const [path, body] of [
      ['simple/load', null],
      ['simple/load', '{}'],
      ['a%2Fb%20c/unload', '{"parameters":{"unload_dependents":false}}'],
    ] as const) {
      const reply = await harness.send('POST', `/v2/repository/models/${path}`, body);
      expect([reply.status, reply.bytes.length]).toEqual([200, 0]);
    }
    expect(harness.controlCalls).toEqual(['load simple', 'load simple', 'unload a/b c']);
  });

  test('does not load with a configuration or files of the request', async () => {
    for (const name of ['config', 'file:1/model.onnx']) {
      const body = JSON.stringify({ parameters: { [name]: '{}' } });
      const reply = await harness.send('POST', '/v2/repository/models/simple/load', body);
      expect(reply.status).toBe(501);
      expect(reply.json().error).toContain(`'${name}'`);
    }
    expect(harness.controlCalls).toEqual([]);
  });

  test('refuses what it cannot read', async () => {
    for (const [path, body, status] of [
      ['/v2/repository/index', '{', 400],
      ['/v2/repository/index', '[]', 400],
      ['/v2/repository/index', '{"ready":1}', 400],
      ['/v2/repository/index', ' '.repeat(1_100_000), 413],
      ['/v2/repository/models/nobody/load', '', 404],
      ['/v2/repository/models/nobody/unload', '', 404],
    ] as const) {
      const reply = await harness.send('POST', path, body);
      expect(reply.status).toBe(status);
      expect(reply.json().error).toBeString();
    }
  });
});

test('an unknown model is refused in the words of the protocol, whatever the control would say', async () => {
  const load = async () => {
    throw new AppError('not_found', "There is no model 'nope'.");
  };
  const handle = createV2(harness.plane, { load, unload: load }, limits);
  for (const action of ['load', 'unload']) {
    const pathname = `/v2/repository/models/nope/${action}`;
    const answer = await handle(
      new Request(`http://box${pathname}`, { method: 'POST' }),
      pathname,
      () => undefined,
      'id',
    );
    expect([answer?.status, await answer?.json()]).toEqual([
      404,
      { error: "Request for unknown model: 'nope' is not found" },
    ]);
  }
});

describe('routing', () => {
  test('unknown routes are 404 "Not Found", other paths are left to others', async () => {
    for (const path of [
      '/v2/nothing',
      '/v2/models',
      '/v2/models/',
      '/v2/models/simple/versions',
      '/v2/models/simple/other',
      '/v2/models/simple/infer/more',
      '/v2/models/simple/generate',
      '/v2/models/simple/generate_stream',
      '/v2/health',
      '/v2/health/other',
      '/v2/repository/models/simple',
      '/v2/repository/models/simple/other',
      '/v2//',
    ]) {
      const reply = await harness.get(path);
      expect([path, reply.status, reply.json()]).toEqual([path, 404, { error: 'Not Found' } as never]);
    }
    for (const path of ['/', '/v1/models', '/v20', '/v2x/health/live']) {
      expect(harness.handle(new Request('http://box/'), path, () => undefined, 'id')).toBeUndefined();
    }
  });

  test('a wrong method is 405 with the right one in Allow', async () => {
    for (const [method, path, allow] of [
      ['POST', '/v2', 'GET, HEAD'],
      ['DELETE', '/v2/models/simple', 'GET, HEAD'],
      ['GET', '/v2/models/simple/infer', 'POST'],
      ['HEAD', '/v2/models/simple/infer', 'POST'],
      ['GET', '/v2/repository/index', 'POST'],
      ['PUT', '/v2/repository/models/simple/load', 'POST'],
    ] as const) {
      const reply = await harness.send(method, path);
      expect([reply.status, reply.headers.get('allow')]).toEqual([405, allow]);
      expect(reply.json()).toEqual({ error: 'Method Not Allowed' } as never);
    }
  });

  test('HEAD works where GET does', async () => {
    expect((await harness.send('HEAD', '/v2/health/live')).status).toBe(200);
    expect((await harness.send('HEAD', '/v2/models/nobody')).status).toBe(404);
  });

  test('a path that is no percent-encoding is an error of the request', async () => {
    const reply = await harness.get('/v2/models/%E0%A4%A/ready');
    expect(reply.status).toBe(400);
    expect(reply.json().error).toContain('percent-encoding');
  });
});
