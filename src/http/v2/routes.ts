// The endpoints of the Open Inference Protocol v2 as one plain fetch handler, so that the hot path needs no framework.
// Works from a data plane alone; knows neither the registry nor who is asking, but what each endpoint asks of that one.
import type { Action } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { DataPlane, ModelControl } from '../../inference/plane.ts';
import { discard, jsonLengthHeader, readBytes, readSmallBody, splitBody, type V2Limits } from './body.ts';
import { chooseCoding, type Coding, compress } from './compress.ts';
import { describeConfig, describeModel, describeRepository, describeStatistics, serverMetadata } from './describe.ts';
import { errorResponse, refuse } from './errors.ts';
import { giveBack } from './float-pool.ts';
import { decodeRawRequest, decodeRequest } from './infer-request.ts';
import { encodeResponse, type InferBody } from './infer-response.ts';
import { isObject, type JsonObject, parseJson } from './parse-json.ts';

export type { V2Limits } from './body.ts';

/**
 * Passes when the caller may do it, on the model if one is named.
 * @returns name of the API key that the request came with; undefined without one
 * @throws AppError unauthenticated, forbidden, throttled
 */
export type Allow = (action: Action, model?: string) => string | undefined;

/** @param id of the request; what a model answers carries it already, and what a browser must know */
export type V2Handler = (
  request: Request,
  pathname: string,
  allow: Allow,
  id: string,
) => Response | Promise<Response> | undefined;

interface Route {
  method: 'GET' | 'POST';
  /** Absent: open to everybody. */
  action?: Action;
  /** Computes something: what was not released is for those who may try. */
  isCall?: boolean;
  /** That the action is about. */
  model?: string;
  /** As it stands in the path. */
  version?: string;
  answer: (request: Request, path: string, id: string, key?: string) => Response | Promise<Response>;
}

/** Index and load requests carry a few settings, no tensors. */
const maxControlBytes = 1024 * 1024;
/** Of names without escapes. */
const inferencePath = /^\/v2\/models\/([^/%]+)(?:\/versions\/([^/%]+))?\/infer$/;
/**
 * What nearly every answer says, made once: Bun copies a Headers several times as fast as it fills one. Frames and referrers
 * are matters of pages, so that nothing is said of them.
 */
const noSniffing = { 'x-content-type-options': 'nosniff' };
const jsonHeaders = new Headers({ 'content-type': 'application/json', ...noSniffing });
const binaryHeaders = new Headers({ 'content-type': 'application/octet-stream', ...noSniffing });

/** @returns a handler that answers undefined when the path is none of /v2 */
export function createV2(plane: DataPlane, control: ModelControl, limits: V2Limits): V2Handler {
  const find = (path: string): Route | undefined => {
    const segments = path.split('/').slice(2).map(decodeSegment);
    if (segments.at(-1) === '' && segments.length === 1) segments.pop();
    switch (segments[0]) {
      case undefined:
        return get(() => Response.json(serverMetadata));
      case 'health':
        return segments.length === 2 ? findHealth(plane, segments[1]!) : undefined;
      case 'models':
        return findModel(plane, limits, segments.slice(1));
      case 'repository':
        return findRepository(plane, control, segments.slice(1));
      default:
        return undefined;
    }
  };
  return (request, pathname, allow, id) => {
    const allowCall = (model: string, version: string | undefined) => {
      const isFree =
        limits.unreleased === 'everyone' ||
        plane.isReleased(model, version === undefined ? undefined : Number(version));
      return allow(isFree ? 'model.predict' : 'model.try', model);
    };
    if (!pathname.startsWith('/v2') || (pathname.length > 3 && pathname[3] !== '/')) return undefined;
    try {
      const target = request.method === 'POST' ? inferencePath.exec(pathname) : null;
      if (target) {
        const key = allowCall(target[1]!, target[2]);
        return infer(plane, limits, request, pathname, { id, model: target[1]!, version: target[2], key });
      }
      const route = find(pathname);
      if (!route) return refuse(404, 'Not Found');
      let key: string | undefined;
      if (route.isCall) key = allowCall(route.model!, route.version);
      else if (route.action) allow(route.action, route.model);
      const method = request.method === 'HEAD' ? 'GET' : request.method;
      if (method !== route.method) {
        return refuse(405, 'Method Not Allowed', { allow: route.method === 'GET' ? 'GET, HEAD' : 'POST' });
      }
      const answer = route.answer(request, pathname, id, key);
      return answer instanceof Response ? answer : answer.catch((error: unknown) => failed(request, pathname, error));
    } catch (error) {
      return failed(request, pathname, error);
    }
  };
}

function findHealth(plane: DataPlane, what: string): Route | undefined {
  if (what === 'live') return get(() => Response.json({ live: true }));
  if (what !== 'ready') return undefined;
  return get(() => {
    // A version that was given up must not take the others out of service with it.
    const isStarting = [...plane.table.values()].some(
      ({ current, versions }) => current !== null && versions.get(current)?.state === 'starting',
    );
    return Response.json({ ready: !isStarting }, { status: isStarting ? 503 : 200 });
  });
}

/** @param segments what follows /v2/models/ */
function findModel(plane: DataPlane, limits: V2Limits, segments: string[]): Route | undefined {
  if (segments.length === 1 && segments[0] === 'stats') {
    return { ...get(() => Response.json(describeStatistics(plane.statistics()))), action: 'metrics.read' };
  }
  const [model] = segments;
  if (!model) return undefined;
  const isVersioned = segments[1] === 'versions';
  const [action, ...rest] = segments.slice(isVersioned ? 3 : 1);
  if (rest.length > 0 || (isVersioned && segments.length < 3)) return undefined;
  const versionText = isVersioned ? segments[2] : undefined;
  const version = (): number | undefined => findVersion(versionText);
  const describing = (answer: Route['answer']): Route => ({ ...get(answer), action: 'model.describe', model });
  switch (action) {
    case 'infer':
      return {
        ...post((request, path, id, key) =>
          infer(plane, limits, request, path, { id, model, version: versionText, key }),
        ),
        isCall: true,
        model,
        version: versionText,
      };
    case undefined:
      return describing(() => Response.json(describeModel(plane.getModel(model), plane.getRoute(model, version()))));
    case 'config':
      return describing(() => Response.json(describeConfig(plane.getModel(model), plane.getRoute(model, version()))));
    case 'stats':
      return describing(() => Response.json(describeStatistics(plane.statistics(model, version()))));
    case 'ready':
      return describing(() =>
        isReady(plane, model, version())
          ? Response.json({ name: model, ready: true })
          : refuse(400, 'Model version not ready'),
      );
    default:
      return undefined;
  }
}

/** @param segments what follows /v2/repository/ */
function findRepository(plane: DataPlane, control: ModelControl, segments: string[]): Route | undefined {
  if (segments.length === 1 && segments[0] === 'index') {
    const answer = post(async (request) => {
      const { ready } = await readControl(request);
      if (ready !== undefined && typeof ready !== 'boolean')
        throw new AppError('invalid', "'ready' must be true or false");
      return Response.json(describeRepository(plane.table, ready === true));
    });
    // It names all models; a key for some of them may not see the others.
    return { ...answer, action: 'model.read' };
  }
  const [kind, model, action] = segments;
  if (kind !== 'models' || !model || segments.length !== 3) return undefined;
  const loading = (answer: Route['answer']): Route => ({ ...post(answer), action: 'model.load', model });
  if (action === 'unload') {
    return loading(async (request) => {
      // Here and below, because control would say in its own words that there is no such model.
      plane.getModel(model);
      await readControl(request);
      await control.unload(model);
      return new Response();
    });
  }
  if (action !== 'load') return undefined;
  return loading(async (request) => {
    plane.getModel(model);
    const { parameters } = await readControl(request);
    for (const name of Object.keys(isObject(parameters) ? parameters : {})) {
      if (name !== 'config' && !name.startsWith('file:')) continue;
      throw new AppError(
        'unsupported',
        `load with parameter '${name.slice(0, 100)}' is not supported`,
        'Import the model as a new version with its own settings, then load it.',
      );
    }
    await control.load(model);
    return new Response();
  });
}

/** What a request is for, as it stands in the path, its id, and the name of the key that it came with. */
interface Target {
  id: string;
  model: string;
  version: string | undefined;
  key: string | undefined;
}

/** Answers its errors itself: on the hot path each promise counts. */
async function infer(
  plane: DataPlane,
  limits: V2Limits,
  request: Request,
  path: string,
  { id, model, version: versionText, key }: Target,
): Promise<Response> {
  try {
    const version = findVersion(versionText);
    // Before the body is read: nobody should have to send a large body to hear that the name is wrong.
    plane.getModel(model);
    const { headers } = request;
    const maxTensorBytes = limits.maxJsonTensorBytes ?? limits.maxJsonBytes;
    const bytes = await readBytes(request, limits);
    const { json, binary } = splitBody(bytes, headers.get(jsonLengthHeader), limits.maxJsonBytes);
    // After it: the version that answers may have changed meanwhile. From here to infer nothing waits.
    const route = plane.choose(model, version, (name) => headers.get(name), key);
    const decoded =
      json === undefined ? decodeRawRequest(route, binary) : decodeRequest(model, json, binary, maxTensorBytes);
    if (binary.length === 0) discard(bytes);
    const call = {
      inputs: decoded.inputs,
      outputs: decoded.outputs?.map(({ name }) => name),
      priority: decoded.priority,
      timeoutUs: decoded.timeoutUs,
      signal: request.signal,
    };
    let body: InferBody;
    try {
      body = await plane.infer(route, call, (outputs, _times, served = route) =>
        encodeResponse(served, decoded, outputs, maxTensorBytes),
      );
    } finally {
      for (const pooled of decoded.borrowed) giveBack(pooled);
      // Tensors in binary form are views of it.
      if (binary.length > 0) discard(bytes);
    }
    const accept = headers.get('accept-encoding');
    const coding = accept === null ? undefined : chooseCoding(accept);
    return coding
      ? await compressedResponse(body, coding, id)
      : new Response(body.content, { headers: headersFor(body, id) });
  } catch (error) {
    return failed(request, path, error);
  }
}

async function compressedResponse(body: InferBody, coding: Coding, id: string): Promise<Response> {
  const content = await compress(body.content, coding);
  const headers = new Headers(headersFor(body, id));
  headers.set('content-encoding', coding);
  headers.set('vary', 'Accept-Encoding');
  return new Response(content, { headers });
}

/** Valid until the next call: whoever makes a response of them copies them. */
function headersFor({ jsonBytes }: InferBody, id: string): Headers {
  const headers = jsonBytes === undefined ? jsonHeaders : binaryHeaders;
  // Set before they are copied, it costs less than in the response.
  headers.set('x-request-id', id);
  if (jsonBytes !== undefined) headers.set(jsonLengthHeader, String(jsonBytes));
  return headers;
}

function isReady(plane: DataPlane, model: string, version: number | undefined): boolean {
  try {
    return plane.isReady(model, version);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return false;
    throw error;
  }
}

async function readControl(request: Request): Promise<JsonObject> {
  const text = await readSmallBody(request, maxControlBytes);
  const body = text.trim() === '' ? {} : parseJson(text);
  if (!isObject(body)) throw new AppError('invalid', 'the request must be a JSON object');
  return body;
}

function findVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const version = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (version > 0) return version;
  throw new AppError(
    'invalid',
    `failed to get model version from specified version string '${text.slice(0, 40)}'`,
    'The version is a whole number from 1 on.',
  );
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AppError('invalid', 'the path is not valid percent-encoding');
  }
}

function get(answer: Route['answer']): Route {
  return { method: 'GET', answer };
}

function post(answer: Route['answer']): Route {
  return { method: 'POST', answer };
}

function failed(request: Request, path: string, error: unknown): Response {
  // Reading the body of a client that went away fails in ways of its own; nobody hears the answer.
  if (request.signal.aborted && !(error instanceof AppError)) return refuse(400, 'The client went away');
  return errorResponse(error, path);
}
