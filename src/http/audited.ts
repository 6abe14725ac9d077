// What the audit trail says of a request, the same whether it came to the API or to a page: which operation, on what, with
// what result. An operation is called what the API's document calls it.
import type { Actor } from '../access/actor.ts';
import type { AuditEvent, AuditResult } from '../access/audit-entry.ts';
import type { Audit } from '../access/audit.ts';
import type { Asker } from './gate.ts';

/** What a request changed, for the audit trail; secrets are taken out there. */
export interface AuditNote {
  /** Where the request itself showed who it is: with a set-up or reset link. */
  actor?: Actor;
  /** Where one form does several things. */
  operation?: string;
  target?: string;
  before?: unknown;
  after?: unknown;
  /** Where the work goes on after the answer has begun: false when it comes to nothing. */
  outcome?: Promise<boolean>;
}

export interface AuditedRequest {
  asker: Asker;
  operation: string;
  isReading: boolean;
  /** Values of the path's parameters. */
  parameters: Record<string, string>;
  requestId: string;
}

export type Trail = Pick<Audit, 'record' | 'recordRefusal'>;

/** What happens thousands of times a second, and what has a log of its own, leaves no trace here. */
const unaudited = new Set<string>([
  'predict',
  'predictVersion',
  'appendUpload',
  'previewPlacement',
  'previewImport',
  'signIn',
  'markInboxRead',
]);

/**
 * Of reading only refusals are told.
 * @param noteOf asked when the work is over
 * @param status of the answer
 */
export function auditRequest(trail: Trail, request: AuditedRequest, noteOf: () => AuditNote, status: number): void {
  const tell = (result: AuditResult) => {
    const event = eventOf(request, noteOf(), result);
    const way = unaudited.has(event.action) ? undefined : wayOf(event.actor, request.isReading, result);
    if (way) trail[way](event);
  };
  const { outcome } = noteOf();
  if (status >= 400) tell(status === 401 || status === 403 ? 'refused' : 'failed');
  else if (outcome) void outcome.then((isDone) => tell(isDone ? 'ok' : 'failed'));
  else tell('ok');
}

function eventOf(
  { asker, operation, parameters, requestId }: AuditedRequest,
  { before, after, ...note }: AuditNote,
  result: AuditResult,
): AuditEvent {
  return {
    actor: note.actor ?? asker.actor,
    action: note.operation ?? operation,
    target: note.target ?? Object.values(parameters).join(':'),
    result,
    from: asker.address,
    requestId,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}

/** The trail is kept for ever, and whoever is unknown, or only reads, may be refused without end. */
function wayOf({ kind }: Actor, isReading: boolean, result: AuditResult): keyof Trail | undefined {
  if (kind === 'nobody') return undefined;
  if (!isReading && kind !== 'guest') return 'record';
  // The system may look at everything; what it is refused, such as an inbox of its own, is not there for it.
  return result === 'refused' && kind !== 'system' ? 'recordRefusal' : undefined;
}
