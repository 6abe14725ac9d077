// What every group of API routes is given, and how routes are described for OpenAPI.
import type { OpenAPIV3 } from 'openapi-types';

import type { Action } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { AuditNote } from '../audited.ts';
import { statusOf } from '../errors.ts';
import type { Asker } from '../gate.ts';
import type { BodyLimits } from './body.ts';
import type { Control } from './control.ts';
import type { SchemaName } from './schemas.ts';

export interface ApiContext {
  control: Control;
  limits: BodyLimits;
  requestId: (request: Request) => string;
  /** Who is asking; the route's action was allowed already. */
  asker: (request: Request) => Asker;
  /** Adds to what the audit trail will say of this request. */
  note: (request: Request, note: AuditNote) => void;
  /** Lets the connection be silent for as long as it takes. */
  keepOpen: (request: Request) => void;
  /** Counts work as in flight that goes on after its response has begun. */
  hold: <T>(work: Promise<T>) => Promise<T>;
}

/** @throws AppError invalid */
export function parseVersion(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new AppError('invalid', `'${text.slice(0, 40)}' is not a version number.`, 'Versions are numbered from 1.');
}

export interface OperationText {
  id: string;
  /** What the caller must be allowed to do; a path with ":name" or ":endpoint" is about what is called by that name. */
  action: Action | 'public';
  tag: 'Models' | 'Uploads' | 'Placement' | 'Releases' | 'Appliance' | 'Tasks' | 'Access' | 'Notifications';
  summary: string;
  description?: string;
  /** Absent: 204 without a body. */
  answer?: { status?: 200 | 201; schema: SchemaName; example?: unknown };
  errors?: (keyof typeof statusOf)[];
  /** Where Elysia's schema does not say all. */
  requestBody?: OpenAPIV3.RequestBodyObject;
  headers?: { name: string; description: string; example: string }[];
}

/** The route's `detail`, from which openapi.ts makes the document. */
export function describe({ id, action, tag, answer, errors = [], headers, ...text }: OperationText) {
  const success = answer
    ? { [answer.status ?? 200]: { description: 'Success', content: { 'application/json': contentOf(answer) } } }
    : { 204: { description: 'Done' } };
  const failures = errors.map((code) => [statusOf[code], { $ref: `#/components/responses/${code}` }]);
  const parameters = headers?.map((header) => ({
    ...header,
    in: 'header',
    required: true,
    schema: { type: 'string' },
  }));
  return {
    ...text,
    operationId: id,
    'x-action': action,
    tags: [tag],
    responses: { ...success, ...Object.fromEntries(failures) },
    ...(parameters && { parameters }),
  } as OpenAPIV3.OperationObject;
}

function contentOf({ schema, example }: { schema: SchemaName; example?: unknown }) {
  return { schema: { $ref: `#/components/schemas/${schema}` }, ...(example !== undefined && { example }) };
}
