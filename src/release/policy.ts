// What must be green before a release may be approved, worked out from facts that are handed in. Pure.
import type { Refusal } from '../device/placement-types.ts';
import type { Difference, EnvironmentSettings, PolicyCheck, ReleaseRequest } from './types.ts';

export interface PolicyFacts {
  request: ReleaseRequest;
  environment: EnvironmentSettings;
  /** false: it was removed. */
  exists: boolean;
  isArchived: boolean;
  /** Against what is live. */
  differences: readonly Difference[];
  /** Why its instances find no room; empty: they do. */
  refusals: readonly Pick<Refusal, 'reason'>[];
  /** Of the other releases of the environment. */
  instancesInUse: number;
  endpointsInUse: number;
  isNewEndpoint: boolean;
  /** A host name that this endpoint would have, and that another has already; endpoint "": the server itself. */
  taken?: { host: string; endpoint: string };
}

export function checkRelease(facts: PolicyFacts): PolicyCheck[] {
  const { request, environment } = facts;
  const { policy } = environment;
  const has = (kind: string) => request.evidence.some((each) => each.kind === kind);
  const checks: (PolicyCheck | undefined)[] = [
    checkVersion(facts),
    checkSignature(facts.differences),
    check('room', facts.refusals.length === 0, 'Its instances find room.', facts.refusals[0]?.reason),
    checkQuota(facts),
    checkDomain(facts),
    policy.licence
      ? check('licence', request.licence !== '', `Licence: ${request.licence}.`, 'No licence is named.')
      : undefined,
    policy.evaluation
      ? check('evaluation', has('report'), 'A report is attached.', 'No report is attached.')
      : undefined,
    policy.loadTest
      ? check('load-test', has('load-test'), 'A load test is attached.', 'No load test is attached.')
      : undefined,
    checkP95(request, policy.maxP95Ms),
    policy.smoke
      ? { name: 'smoke', state: 'pending', text: 'It is asked once before traffic moves.', mayOverride: true }
      : undefined,
  ];
  return checks.filter((each) => each !== undefined);
}

export const isRed = ({ state }: PolicyCheck): boolean => state === 'red';

function check(name: PolicyCheck['name'], isGreen: boolean, good: string, bad = ''): PolicyCheck {
  return { name, state: isGreen ? 'green' : 'red', text: isGreen ? good : bad, mayOverride: true };
}

function checkVersion({ exists, isArchived, request: { model, version } }: PolicyFacts): PolicyCheck {
  const what = `Version ${version} of '${model}'`;
  const bad = exists ? `${what} is archived.` : `${what} is not there any more.`;
  return { ...check('version', exists && !isArchived, `${what} is there.`, bad), mayOverride: false };
}

function checkSignature(differences: readonly Difference[]): PolicyCheck {
  const breaking = differences.filter(({ weight }) => weight === 'breaking');
  const bad = `Callers of what is live now would break: ${breaking.map(({ what }) => what).join(', ')}.`;
  return check('signature', breaking.length === 0, 'Callers of what is live now go on as they are.', bad);
}

function checkQuota(facts: PolicyFacts): PolicyCheck | undefined {
  const { maxInstances, maxEndpoints } = facts.environment;
  if (maxInstances === null && maxEndpoints === null) return undefined;
  const instances = facts.instancesInUse + facts.request.maxInstances;
  const endpoints = facts.endpointsInUse + (facts.isNewEndpoint ? 1 : 0);
  const name = facts.request.environment;
  if (maxInstances !== null && instances > maxInstances) {
    return check('quota', false, '', `${name} would have ${instances} instances; ${maxInstances} are allowed.`);
  }
  if (maxEndpoints !== null && endpoints > maxEndpoints) {
    return check('quota', false, '', `${name} would have ${endpoints} endpoints; ${maxEndpoints} are allowed.`);
  }
  return check('quota', true, `Within what ${name} may have.`);
}

function checkDomain({ taken, request: { domain } }: PolicyFacts): PolicyCheck | undefined {
  if (domain === '' && !taken) return undefined;
  const owner = taken?.endpoint ? `The endpoint '${taken.endpoint}'` : 'The server itself';
  const bad = `${owner} has the host name ${taken?.host} already.`;
  return { ...check('domain', taken === undefined, `The host name ${domain} is free.`, bad), mayOverride: false };
}

function checkP95({ evidence }: ReleaseRequest, maxP95Ms: number | null): PolicyCheck | undefined {
  if (maxP95Ms === null) return undefined;
  const last = evidence.findLast(({ kind, numbers }) => kind === 'load-test' && numbers?.p95Ms !== undefined);
  if (!last) return check('p95', false, '', `No load test says its p95, which may be ${maxP95Ms} ms.`);
  const p95Ms = last.numbers!.p95Ms!;
  const text = `p95 is ${p95Ms} ms; ${maxP95Ms} ms are allowed.`;
  return check('p95', p95Ms <= maxP95Ms, text, text);
}
