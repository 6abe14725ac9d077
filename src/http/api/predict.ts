// The task API: a picture or rows in, the task's own answer out. Finds the version in the routing table like every
// other inference; what the task does with the input is the task room's affair.
import { Elysia } from 'elysia';

import { requireAction } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import type { VersionRoute } from '../../inference/routing.ts';
import { inputOfJson, taskInputOf } from '../../task/input.ts';
import { type Compute, predict, type TaskInput } from '../../task/predict.ts';
import type { Manifest, TaskName } from '../../types.ts';
import type { Asker } from '../gate.ts';
import { readBytes } from './body.ts';
import { type ApiContext, describe, parseVersion } from './context.ts';

const description =
  'Send a JPEG, PNG or WebP as the body, or as the field `image` of a form, or JSON: `{"image":"<base64>"}`, ' +
  '`{"rows":[…]}` or `{"row":…}`. A row is an object by column name or an array in the order of the columns.';

const requestBody = {
  required: true,
  content: {
    'image/jpeg': { schema: { type: 'string' as const, format: 'binary' } },
    'application/json': {
      schema: { type: 'object' as const },
      examples: {
        rows: { value: { rows: [{ sepal_length: 5.1, sepal_width: 3.5 }] } },
        image: { value: { image: '/9j/4AAQSkZJRg…' } },
      },
    },
    'multipart/form-data': {
      schema: { type: 'object' as const, properties: { image: { type: 'string' as const, format: 'binary' } } },
    },
  },
};

const answerExample = {
  model: 'faces',
  version: 1,
  task: 'object-detection',
  image: { width: 640, height: 480 },
  objects: [{ label: 'face', index: 0, score: 0.97, box: { x: 210.5, y: 96.2, width: 120.1, height: 120.1 } }],
  timings: { queueMs: 0.1, computeMs: 3.2, totalMs: 21.7 },
};

export function predictRoutes(context: ApiContext) {
  const answer = createPredict(context);
  return new Elysia({ normalize: false })
    .post('/v1/models/:name/predict', ({ request, params }) => answer(request, params.name), {
      parse: 'none',
      detail: describePredict('predict', 'Ask a model'),
    })
    .post(
      '/v1/models/:name/versions/:version/predict',
      ({ request, params }) => answer(request, params.name, parseVersion(params.version)),
      { parse: 'none', detail: describePredict('predictVersion', 'Ask one version of a model') },
    );
}

function describePredict(id: string, summary: string) {
  return describe({
    id,
    action: 'model.predict',
    tag: 'Tasks',
    summary,
    description,
    requestBody,
    answer: { schema: 'TaskAnswer', example: answerExample },
    errors: ['invalid', 'not_found', 'too_large', 'model_failed', 'unavailable'],
  });
}

function createPredict({ control, limits, asker }: ApiContext) {
  const { plane, registry } = control;
  // A route object stands for one loaded version, so that the database is asked once and not for each request.
  const manifests = new WeakMap<VersionRoute, Manifest>();
  const manifestOf = (route: VersionRoute) => {
    const known = manifests.get(route);
    if (known) return known;
    const { manifest } = registry.getVersion(route.registered, route.version);
    manifests.set(route, manifest);
    return manifest;
  };

  return async (request: Request, name: string, version?: number) => {
    // Nobody should have to send a picture to hear that the name is wrong.
    plane.getModel(name);
    if (limits.unreleased !== 'everyone' && !plane.isReleased(name, version)) {
      requireAction(asker(request).actor, 'model.try', name);
    }
    const body = await readBytes(request, limits);
    const route = plane.choose(name, version, (header) => request.headers.get(header), keyOf(asker(request)));
    // Preparing a picture takes a while: the version must not be unloaded meanwhile.
    const release = plane.hold(route);
    try {
      return await answer(request, route, body);
    } finally {
      release();
    }
  };

  async function answer(request: Request, route: VersionRoute, body: Uint8Array) {
    const manifest = manifestOf(route);
    const input = await readInput(manifest.task, request, body);
    const startedMs = performance.now();
    let queueNs = 0;
    let computeNs = 0;
    let answered = route;
    const compute: Compute = (inputs, outputs) =>
      plane.infer(route, { inputs, outputs, signal: request.signal }, (computed, times, served) => {
        answered = served ?? answered;
        queueNs += times.queueNs;
        computeNs += times.computeInferNs;
        return computed.map((tensor) => ({ ...tensor, bytes: tensor.bytes.slice() }));
      });
    const result = await predict(manifest, route.signature, input, compute);
    const totalMs = performance.now() - startedMs;
    return {
      model: answered.model,
      version: answered.version,
      ...result,
      timings: { queueMs: rounded(queueNs / 1e6), computeMs: rounded(computeNs / 1e6), totalMs: rounded(totalMs) },
    };
  }
}

async function readInput(task: TaskName, request: Request, body: Uint8Array): Promise<TaskInput> {
  const type = request.headers.get('content-type');
  if (!/^multipart\/form-data\b/i.test(type ?? '')) return taskInputOf(task, jsonTypeOf(type), body);
  let field: unknown;
  try {
    field = (await new Response(body, { headers: { 'content-type': type! } }).formData()).get('image');
  } catch {
    throw new AppError('invalid', 'The form cannot be read.', 'Send it as curl -F image=@photo.jpg does.');
  }
  if (field instanceof Blob) return taskInputOf(task, field.type || null, await field.bytes());
  if (typeof field === 'string') return inputOfJson(task, { image: field });
  throw new AppError('invalid', "The form has no field 'image'.", 'Send it as curl -F image=@photo.jpg does.');
}

/** curl and fetch name these types when nobody chose one. */
function jsonTypeOf(type: string | null): string | null {
  return /^(application\/x-www-form-urlencoded|text\/plain|application\/octet-stream)\b/i.test(type ?? '')
    ? null
    : type;
}

function keyOf({ actor }: Asker): string | undefined {
  return actor.kind === 'key' ? actor.name : undefined;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
