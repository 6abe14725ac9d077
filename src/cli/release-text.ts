// Releases, their checks, differences and traffic as people read them in a terminal.
import type { TrafficSide } from '../release/control.ts';
import type { Difference, PolicyCheck, RolloutPlan } from '../release/types.ts';
import { formatReference } from './reference.ts';
import type {
  DetailAnswer,
  EndpointStatusAnswer,
  EventAnswer,
  ReleaseAnswer,
  RequestAnswer,
  ReviewAnswer,
} from './release-answers.ts';
import {
  type Column,
  formatCount,
  formatInstant,
  formatSeconds,
  formatTime,
  indent,
  plural,
  renderPairs,
  renderTable,
  wrap,
} from './text.ts';

export const versionOf = ({ request: { model, version } }: Pick<ReleaseAnswer, 'request'>) =>
  formatReference({ name: model, version });

/** One sentence. */
export function describeRelease(release: ReleaseAnswer): string {
  const { id, state, reason, request } = release;
  const why = reason === '' ? '' : ` ${reason.replace(/[^.!?]$/, '$&.')}`;
  return `Release ${id}, ${versionOf(release)} as ${request.endpoint} in ${request.environment}, is ${words(state)}.${why}`;
}

const words = (state: string) => (state === 'draft' ? 'a draft' : state.replace('-', ' '));

const releaseColumns: Column<ReleaseAnswer>[] = [
  { title: 'RELEASE', cell: ({ id }) => String(id), isRight: true },
  { title: 'ENDPOINT', cell: ({ request }) => request.endpoint },
  { title: 'ENVIRONMENT', cell: ({ request }) => request.environment },
  { title: 'VERSION', cell: versionOf },
  { title: 'STATE', cell: ({ state, stage }) => (stage ? `${words(state)} ${stage.percent} %` : words(state)) },
  { title: 'BY', cell: ({ requester }) => requester.name },
  { title: 'CHANGED', cell: ({ changedAt }) => formatTime(changedAt) },
];

export function renderReleases(releases: readonly ReleaseAnswer[], waiting: number, width?: number): string {
  if (releases.length === 0) return "There are no such releases. 'aimass release submit NAME' asks for one.";
  const wait =
    waiting > 0 ? ['', `${plural(waiting, 'release')} ${waiting === 1 ? 'waits' : 'wait'} for a decision.`] : [];
  return [renderTable(releaseColumns, releases, width), ...wait].join('\n');
}

/** What it waits for; undefined when it moves by itself, or no more. */
export function describeWait({ state, reason }: Pick<ReleaseAnswer, 'state' | 'reason'>): string | undefined {
  if (state === 'submitted') return "It waits for a reviewer's decision.";
  if (state !== 'approved') return undefined;
  return reason === '' ? 'It waits for its turn.' : `It waits: ${reason}`;
}

/** One line. */
export function describeEvent({ at, kind, actor, text }: EventAnswer): string {
  const who = actor.id === 'system' && actor.name !== 'socket' ? '' : ` by ${actor.name}`;
  return `${formatInstant(at)}  ${words(kind)}${who}${text === '' ? '' : `: ${text}`}`;
}

export function renderStatus(
  { release }: DetailAnswer,
  endpoint: EndpointStatusAnswer | undefined,
  width?: number,
): string {
  const { stage, request, liveAt, watchUntil, decidedBy } = release;
  const steps = request.rollout.steps.length;
  const where = stage && (stage.kind === 'step' ? `step ${stage.index + 1} of ${steps}` : stage.kind);
  const lines = [
    ...(decidedBy === undefined ? [] : [`Decided by ${decidedBy}.`]),
    ...(stage ? [`Now: ${where}, ${stage.percent} % of the requests, since ${formatInstant(stage.startedAt)}.`] : []),
    ...(liveAt === undefined ? [] : [`Live since ${formatInstant(liveAt)}.`]),
    ...(watchUntil === undefined ? [] : [`Watched until ${formatInstant(watchUntil)}.`]),
  ];
  return [
    wrap(describeRelease(release), width),
    ...lines,
    ...(endpoint ? ['', renderTraffic(endpoint, width)] : []),
  ].join('\n');
}

const trafficColumns: Column<TrafficSide>[] = [
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'RELEASE', cell: ({ release }) => String(release), isRight: true },
  { title: 'VERSION', cell: ({ model, version }) => formatReference({ name: model, version }) },
  { title: 'SHARE', cell: ({ share }) => `${Math.round(share * 1000) / 10} %`, isRight: true },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'INSTANCES', cell: ({ instances }) => String(instances), isRight: true },
  { title: 'REQUESTS', cell: ({ requests }) => formatCount(requests), isRight: true },
  { title: 'ERRORS', cell: ({ errors }) => formatCount(errors), isRight: true },
  { title: 'P50', cell: ({ p50Ms }) => formatMs(p50Ms), isRight: true },
  { title: 'P95', cell: ({ p95Ms }) => formatMs(p95Ms), isRight: true },
];

const formatTimeout = (ms: number) => (ms % 1000 === 0 ? formatSeconds(ms / 1000) : `${ms} ms`);

const formatMs = (ms: number | undefined) => (ms === undefined ? '–' : `${Math.round(ms * 100) / 100} ms`);

export function renderTraffic({ sides, agreement, guard = {} }: EndpointStatusAnswer, width?: number): string {
  return [
    sides.length > 0 ? renderTable(trafficColumns, sides, width) : 'It serves nothing now.',
    ...(agreement
      ? [`Of ${plural(agreement.compared, 'answer')} in the shadow ${formatCount(agreement.disagreed)} differed.`]
      : []),
    ...(Object.keys(guard).length > 0 ? [wrap(`The guard: ${describeGuard(guard)}.`, width)] : []),
  ].join('\n');
}

type Verdict = NonNullable<EndpointStatusAnswer['guard']>[string];

const verdicts: [Verdict, string][] = [
  ['breach', 'over the limit'],
  ['fine', 'fine'],
  ['too_few', 'too few requests yet'],
];

function describeGuard(guard: Record<string, Verdict>): string {
  return verdicts
    .map(([verdict, text]) => [Object.keys(guard).filter((name) => guard[name] === verdict), text] as const)
    .filter(([names]) => names.length > 0)
    .map(([names, text]) => `${names.map(spoken).join(', ')}: ${text}`)
    .join('; ');
}

/** "nonFinite" as "non finite" */
const spoken = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export function renderReview(review: ReviewAnswer, width?: number): string {
  const { release, live, differences, checks, events, modelLicence } = review;
  const room = width && width - 2;
  const part = (title: string, lines: readonly string[]) =>
    lines.length > 0 ? ['', title, ...lines.map((line) => indent(wrap(line, room)))] : [];
  return [
    wrap(describeRelease(release), width),
    ...part('What is asked for', [renderPairs(pairsOf(release.request, modelLicence), room)]),
    ...part('Evidence', release.request.evidence.map(describeEvidence)),
    ...part(
      live ? `Beside ${versionOf(live)}, which is live` : 'Nothing is live there yet.',
      differences.map(describeDifference),
    ),
    ...part('Checks', checks.map(describeCheck)),
    ...part('What happened', events.map(describeEvent)),
  ].join('\n');
}

function pairsOf(request: RequestAnswer, modelLicence = ''): [string, string][] {
  const { minInstances, maxInstances, deviceIds, ratePerSecond, licence, rollout, notBefore } = request;
  const own = modelLicence !== '' && modelLicence !== licence ? ` (the model: ${modelLicence})` : '';
  const pairs: [string, string][] = [
    ['statement', request.statement],
    ['contact', request.contact],
    ['licence', `${licence || 'not stated'}${own}`],
    ['instances', `${minInstances} to ${maxInstances}`],
    ['devices', deviceIds?.join(', ') ?? 'those of the environment'],
    ['domain', request.domain],
    ['timeout', formatTimeout(request.inferenceTimeoutMs)],
    ['queue', request.maxQueueSize === 0 ? '' : `up to ${plural(request.maxQueueSize, 'request')}`],
    ['rate', ratePerSecond === null ? '' : `${ratePerSecond} requests a second`],
    ['rollout', describeRollout(rollout)],
    ['not before', notBefore === null ? '' : formatInstant(notBefore)],
  ];
  return pairs.filter(([, text]) => text !== '');
}

export function describeRollout({ shadow, steps, stickyHeader, trialKeys, minRequests }: RolloutPlan): string {
  const hold = ({ percent, holdMs }: { percent: number; holdMs: number }) =>
    `${percent} % for ${formatSeconds(holdMs / 1000)}`;
  return [
    ...(shadow ? [`in the shadow ${hold(shadow)}`] : []),
    ...steps.map(hold),
    'all',
    ...(stickyHeader === null ? [] : [`same version for the same ${stickyHeader}`]),
    ...(trialKeys.length > 0 ? [`always for the keys ${trialKeys.join(', ')}`] : []),
    ...(minRequests > 0 ? [`at least ${plural(minRequests, 'request')} a step`] : []),
  ]
    .join(', then ')
    .replace(/, then (same|always|at least)/g, '; $1');
}

function describeEvidence({
  kind,
  title,
  text = '',
  url = '',
  numbers = {},
}: RequestAnswer['evidence'][number]): string {
  const measured = Object.entries(numbers).map(([name, value]) => `${name} ${value}`);
  return [`${title} (${kind})`, ...measured, text, url].filter((each) => each !== '').join(', ');
}

const marks = { breaking: '✗', notable: '!', plain: '·' };

export function describeDifference({ group, what, before, after, weight }: Difference): string {
  return `${marks[weight]} ${group}: ${what}: ${before || 'nothing'} → ${after || 'nothing'}${weight === 'breaking' ? ' (breaks callers)' : ''}`;
}

const lights = { green: '✓', red: '✗', pending: '…' };

/** Checks that are in the way; empty when none is. */
export function renderRed(checks: readonly PolicyCheck[], width?: number): string {
  const red = checks.filter(({ state }) => state === 'red');
  if (red.length === 0) return '';
  const lines = red.map((check) => indent(wrap(describeCheck(check), width && width - 2)));
  return ['It cannot be approved as it is:', ...lines].join('\n');
}

function describeCheck({ name, state, text, mayOverride }: PolicyCheck): string {
  return `${lights[state]} ${name}: ${text}${state === 'red' && mayOverride ? ' It can be overridden.' : ''}`;
}
