// Puts the groups of API routes together, and turns everything thrown in them into an answer.
import { Elysia } from 'elysia';

import { requireAction } from '../../access/actor.ts';
import type { Action } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import { type AuditNote, auditRequest, type Trail } from '../audited.ts';
import { errorResponse } from '../errors.ts';
import type { Asker } from '../gate.ts';
import { accountRoutes } from './account.ts';
import { applianceRoutes } from './appliance.ts';
import { auditRoutes } from './audit.ts';
import type { ApiContext } from './context.ts';
import { deviceRoutes } from './devices.ts';
import { endpointRoutes } from './endpoints.ts';
import { environmentRoutes } from './environments.ts';
import { inboxRoutes } from './inbox.ts';
import { keyRoutes } from './keys.ts';
import { modelRoutes } from './models.ts';
import { placementRoutes } from './placement.ts';
import { predictRoutes } from './predict.ts';
import { releaseStepRoutes } from './release-steps.ts';
import { releaseRoutes } from './releases.ts';
import { sessionRoutes } from './session.ts';
import { settingRoutes } from './settings.ts';
import { setupRoutes } from './setup.ts';
import { uploadRoutes } from './uploads.ts';
import { userRoutes } from './users.ts';
import { versionNoteRoutes } from './version-notes.ts';
import { webhookRoutes } from './webhooks.ts';

export interface ApiRoute {
  method: string;
  /** With ":name" for a parameter. */
  path: string;
  hooks: { body?: unknown; query?: unknown; detail?: unknown };
}

export type ApiContextParts = Omit<ApiContext, 'asker' | 'note'>;

export interface Api {
  /** @param asker who sent it; what that one may not do is refused before the body is read */
  fetch(request: Request, asker: Asker): Promise<Response>;
  routes: ApiRoute[];
}

export function createApi(parts: ApiContextParts, trail: Trail): Api {
  const askers = new WeakMap<Request, Asker>();
  const notes = new WeakMap<Request, AuditNote>();
  const context: ApiContext = {
    ...parts,
    asker: (request) => askers.get(request)!,
    note: (request, note) => void notes.set(request, { ...notes.get(request), ...note }),
  };

  // Elysia looks for the path from the 12th letter of an address on, or from the 8th: the first misses it behind a host of
  // three letters, as intranets have them; the second takes the second slash of "https://" for its beginning.
  const build = (standardHostname: boolean) => {
    const app = new Elysia({ normalize: false, handler: { standardHostname } })
      .onError({ as: 'global' }, ({ error, request }) => {
        const { pathname } = new URL(request.url);
        const failure = asAppError(error, () => allowedMethods(app.routes, pathname));
        if (failure instanceof NotAllowed) {
          const response = errorResponse(failure, '', { allow: failure.methods.join(', ') });
          return new Response(response.body, { status: 405, headers: response.headers });
        }
        return errorResponse(failure, context.requestId(request));
      })
      // The same question as in `fetch`, asked of the route that was really taken.
      .onBeforeHandle({ as: 'global' }, ({ request, route, params }) => {
        const { action } = guardOf(guards, request.method, route);
        allow(context.asker(request), action, subjectOf(params));
      })
      .use(applianceRoutes(context))
      .use(deviceRoutes(context))
      .use(modelRoutes(context))
      .use(placementRoutes(context))
      .use(uploadRoutes(context))
      .use(predictRoutes(context))
      .use(releaseRoutes(context))
      .use(releaseStepRoutes(context))
      .use(endpointRoutes(context))
      .use(environmentRoutes(context))
      .use(versionNoteRoutes(context))
      .use(setupRoutes(context))
      .use(sessionRoutes(context))
      .use(accountRoutes(context))
      .use(userRoutes(context))
      .use(keyRoutes(context))
      .use(auditRoutes(context))
      .use(inboxRoutes(context))
      .use(webhookRoutes(context))
      .use(settingRoutes(context));
    return app;
  };
  const app = build(false);
  let secure: typeof app | undefined;
  const routes = app.routes as ApiRoute[];
  const guards = routes.map(toGuard);

  function record(request: Request, asker: Asker, { id, method, parameters }: Match, status: number): void {
    const requestId = context.requestId(request);
    const audited = { asker, operation: id, isReading: method === 'GET', parameters, requestId };
    auditRequest(trail, audited, () => notes.get(request) ?? {}, status);
  }

  async function answer(request: Request, asker: Asker, match: Match | undefined): Promise<Response> {
    try {
      if (match) allow(asker, match.action, subjectOf(match.parameters));
      askers.set(request, asker);
      const way = request.url.startsWith('https:') ? (secure ??= build(true)) : app;
      return await way.fetch(request);
    } catch (error) {
      return errorResponse(error, context.requestId(request));
    }
  }

  return {
    async fetch(request, asker) {
      const match = findMatch(guards, request.method, new URL(request.url).pathname);
      const response = await answer(request, asker, match);
      // What a route itself says of the session goes first.
      if (asker.cookie && !response.headers.has('set-cookie')) response.headers.set('set-cookie', asker.cookie);
      if (match) record(request, asker, match, response.status);
      return response;
    },
    routes,
  };
}

interface Guard {
  method: string;
  path: string;
  parts: string[];
  /** The operation's, such as "removeModel". */
  id: string;
  action: Action | 'public';
}

interface Match extends Guard {
  parameters: Record<string, string>;
}

function toGuard({ method, path, hooks }: ApiRoute): Guard {
  const { 'x-action': action, operationId: id } = hooks.detail as { 'x-action': Guard['action']; operationId: string };
  return { method, path, parts: path.split('/'), id, action };
}

/** @throws when nobody said what a route needs: then nobody may have it */
function guardOf(guards: readonly Guard[], method: string, route: string): Guard {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const guard = guards.find((each) => each.method === wanted && each.path === route);
  if (guard) return guard;
  throw new AppError('forbidden', 'This path is not open to anybody.');
}

interface Subject {
  name?: string;
  endpoint?: string;
}

/** The name that a path is about; keys may be limited to some. */
function subjectOf({ name, endpoint }: Subject = {}): string | undefined {
  return name ?? endpoint;
}

function allow({ actor }: Asker, action: Guard['action'], model: string | undefined): void {
  if (action !== 'public') requireAction(actor, action, model);
}

/** A slash at the end makes no difference to Elysia, nor here. */
function findMatch(guards: readonly Guard[], method: string, pathname: string): Match | undefined {
  const given = pathname.replace(/\/$/, '').split('/');
  const wanted = method === 'HEAD' ? 'GET' : method;
  for (const guard of guards) {
    const { parts } = guard;
    if (guard.method !== wanted || parts.length !== given.length) continue;
    if (!parts.every((part, i) => part.startsWith(':') || part === given[i])) continue;
    const named = parts.flatMap((part, i) => (part.startsWith(':') ? [[part.slice(1), decode(given[i]!)]] : []));
    return { ...guard, parameters: Object.fromEntries(named) as Record<string, string> };
  }
  return undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class NotAllowed extends AppError {
  constructor(readonly methods: string[]) {
    super('invalid', 'Method Not Allowed', `This path takes ${methods.join(' or ')}.`);
  }
}

/** @param methodsHere which methods the path has */
function asAppError(error: unknown, methodsHere: () => string[]): unknown {
  if (error instanceof AppError) return error;
  if (!(error instanceof Error)) return error;
  // What a body reader throws arrives wrapped.
  if (error.cause instanceof AppError) return error.cause;
  const { code } = error as { code?: unknown };
  if (code === 'NOT_FOUND') {
    const methods = methodsHere();
    return methods.length > 0
      ? new NotAllowed(methods)
      : new AppError('not_found', 'There is nothing at this path.', 'GET /docs lists what there is.');
  }
  if (code === 'VALIDATION') return describeInvalid(error as unknown as Invalid);
  if (code === 'PARSE') return new AppError('invalid', 'The request cannot be read.');
  return error;
}

interface Invalid {
  type: string;
  all: { path?: string; summary?: string; message?: string }[];
}

function describeInvalid({ type, all }: Invalid): AppError {
  const { path = '', summary, message } = all[0] ?? {};
  const where = `${type}${path.replaceAll('/', '.')}`;
  return new AppError('invalid', `${where}: ${summary ?? message ?? 'not valid'}`, 'GET /docs shows what it must be.');
}

function allowedMethods(routes: ApiRoute[], pathname: string): string[] {
  const parts = pathname.split('/');
  const fits = (path: string) => {
    const pattern = path.split('/');
    return pattern.length === parts.length && pattern.every((part, i) => part.startsWith(':') || part === parts[i]);
  };
  return routes.filter(({ path }) => fits(path)).map(({ method }) => method);
}
