// Puts the groups of API routes together, and turns everything thrown in them into an answer.
import { Elysia } from 'elysia';

import { AppError } from '../../error.ts';
import { errorResponse } from '../errors.ts';
import { applianceRoutes } from './appliance.ts';
import type { ApiContext } from './context.ts';
import { deviceRoutes } from './devices.ts';
import { modelRoutes } from './models.ts';
import { predictRoutes } from './predict.ts';
import { uploadRoutes } from './uploads.ts';

export interface ApiRoute {
  method: string;
  /** With ":name" for a parameter. */
  path: string;
  hooks: { body?: unknown; query?: unknown; detail?: unknown };
}

export function createApi(context: ApiContext) {
  // Hosts on an intranet may have names of three letters, where Elysia would look for the path too far on.
  const app = new Elysia({ normalize: false, handler: { standardHostname: false } })
    .onError({ as: 'global' }, ({ error, request }) => {
      const { pathname } = new URL(request.url);
      const failure = asAppError(error, () => allowedMethods(app.routes, pathname));
      if (failure instanceof NotAllowed) {
        const response = errorResponse(failure, '', { allow: failure.methods.join(', ') });
        return new Response(response.body, { status: 405, headers: response.headers });
      }
      return errorResponse(failure, context.requestId(request));
    })
    .use(applianceRoutes(context))
    .use(deviceRoutes(context))
    .use(modelRoutes(context))
    .use(uploadRoutes(context))
    .use(predictRoutes(context));
  return {
    fetch: (request: Request): Response | Promise<Response> => app.fetch(request),
    routes: app.routes as ApiRoute[],
  };
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
