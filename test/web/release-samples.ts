// Sample releases, endpoints and environments: for tests and screenshots only.
import type { EndpointStatus, Review, TrafficSide } from '../../src/release/control.ts';
import {
  allAtOnce,
  defaultEnvironments,
  type Difference,
  type Endpoint,
  type Environment,
  environmentNames,
  type Evidence,
  type PolicyCheck,
  type Release,
  type ReleaseEvent,
  releaseEventKinds,
  type ReleaseRequest,
  type ReleaseState,
} from '../../src/release/types.ts';
import type { TrafficPoint } from '../../web/machine-views.ts';
import { nowMs } from './samples.ts';

const minute = 60_000;
const hour = 60 * minute;

/** Words where a person could have entered any: as an attack writes them, or as people do. */
export function wordsOf(text: string) {
  const isPlain = text === 'wang.fang';
  return {
    isPlain,
    endpoint: isPlain ? 'fraud' : text,
    model: isPlain ? 'credit' : text,
    person: text,
    statement: isPlain
      ? 'Trained on the second half of the year. Fewer false alarms for customers who travel; the inputs are the same but for the new field.\n\nPlease look at the load test: the p95 is a little higher.'
      : text,
    comment: isPlain ? 'The new field is required now: are all callers ready for it?' : text,
    host: isPlain ? 'fraud.models.corp.lan' : text,
    url: isPlain ? 'https://wiki.corp.lan/fraud/report-4' : text,
    device: isPlain ? 'NVIDIA H100 #0' : text,
  };
}

export function sampleRequest(text: string, more: Partial<ReleaseRequest> = {}): ReleaseRequest {
  const words = wordsOf(text);
  return {
    endpoint: words.endpoint,
    environment: 'production',
    model: words.model,
    version: 4,
    licence: words.isPlain ? 'Apache-2.0' : text,
    minInstances: 1,
    maxInstances: 4,
    deviceIds: ['GPU-0'],
    domain: words.host,
    inferenceTimeoutMs: 2000,
    maxQueueSize: 0,
    ratePerSecond: 500,
    statement: words.statement,
    contact: words.person,
    evidence: sampleEvidence(text),
    rollout: {
      shadow: { percent: 20, holdMs: 10 * minute },
      steps: [
        { percent: 5, holdMs: 10 * minute },
        { percent: 25, holdMs: 30 * minute },
        { percent: 50, holdMs: hour },
      ],
      stickyHeader: words.isPlain ? 'X-Session-Id' : text,
      trialKeys: [words.isPlain ? 'line 3 camera' : text],
      minRequests: 200,
    },
    notBeforeMs: nowMs + 5 * hour,
    ...more,
  };
}

export function sampleEvidence(text: string): Evidence[] {
  const { isPlain, url, comment } = wordsOf(text);
  return [
    {
      kind: 'load-test',
      title: isPlain ? '8 connections for 10 s' : text,
      numbers: { p50Ms: 4.2, p95Ms: 11.8, perSecond: 1184.3, errors: 0 },
      atMs: nowMs - 2 * hour,
    },
    { kind: 'link', title: isPlain ? 'Evaluation report' : text, url, atMs: nowMs - 3 * hour },
    { kind: 'text', title: isPlain ? 'Known gap' : text, text: comment, atMs: nowMs - 3 * hour },
  ];
}

export function sampleRelease(text: string, state: ReleaseState, more: Partial<Release> = {}): Release {
  const isDecided = !['draft', 'submitted', 'changes-asked', 'withdrawn'].includes(state);
  return {
    id: 12,
    state,
    reason: '',
    request: sampleRequest(text),
    requester: { id: 'u2', name: text },
    revision: 3,
    createdMs: nowMs - 26 * hour,
    changedMs: nowMs - 2 * hour,
    ...(state !== 'draft' && { submittedMs: nowMs - 3 * hour }),
    ...(isDecided && { decidedMs: nowMs - 2 * hour, decidedBy: text }),
    ...(state === 'rolling-out' && {
      stage: { kind: 'step', index: 1, startedMs: nowMs - 12 * minute, percent: 25 },
    }),
    ...(state === 'live' && { liveMs: nowMs - 9 * 24 * hour }),
    ...more,
  };
}

/** What is live before it. */
export function sampleLive(text: string): Release {
  const request = sampleRequest(text, { version: 3, rollout: allAtOnce, notBeforeMs: null });
  return sampleRelease(text, 'live', { id: 8, request });
}

export function sampleEvents(text: string): ReleaseEvent[] {
  const { comment } = wordsOf(text);
  const said = new Set(['commented', 'changes-asked', 'rejected', 'overridden', 'guard', 'rolled-back', 'stage']);
  const server = new Set(['stage', 'live', 'guard', 'superseded', 'failed']);
  return releaseEventKinds.map((kind, i) => ({
    id: i + 1,
    release: 12,
    atMs: nowMs - (releaseEventKinds.length - i) * 40 * minute,
    kind,
    actor: server.has(kind) ? { id: 'system', name: 'system' } : { id: 'u2', name: text },
    text: said.has(kind) ? comment : '',
    data: {},
  }));
}

export function sampleDifferences(text: string): Difference[] {
  const { isPlain } = wordsOf(text);
  const of = (plain: string) => (isPlain ? plain : text);
  return [
    { group: 'signature', what: of('input merchant'), before: '', after: of('INT64 [-1, 1]'), weight: 'breaking' },
    {
      group: 'signature',
      what: of('output score'),
      before: of('FP32 [-1, 1]'),
      after: of('FP32 [-1, 2]'),
      weight: 'breaking',
    },
    { group: 'settings', what: of('maxInstances'), before: '2', after: '4', weight: 'notable' },
    { group: 'settings', what: of('inferenceTimeoutMs'), before: '1000', after: '2000', weight: 'plain' },
    { group: 'size', what: of('files'), before: of('41.2 MiB'), after: of('118 MiB'), weight: 'notable' },
    { group: 'footprint', what: of('memory on cuda'), before: of('1.1 GiB'), after: of('2.4 GiB'), weight: 'notable' },
    { group: 'speed', what: of('p95'), before: of('9.1 ms'), after: of('11.8 ms'), weight: 'notable' },
    { group: 'licence', what: of('licence'), before: of('MIT'), after: of('Apache-2.0'), weight: 'notable' },
    { group: 'manifest', what: of('labels'), before: '2', after: '3', weight: 'plain' },
    { group: 'files', what: of('model.onnx'), before: of('9f2c61…'), after: of('01ab77…'), weight: 'plain' },
  ];
}

export function sampleChecks(text: string, isRed = true): PolicyCheck[] {
  const { isPlain } = wordsOf(text);
  const of = (plain: string) => (isPlain ? plain : text);
  return [
    { name: 'version', state: 'green', text: '', mayOverride: false },
    { name: 'room', state: 'green', text: of('There is room for 1 to 4 instances.'), mayOverride: true },
    {
      name: 'signature',
      state: isRed ? 'red' : 'green',
      text: of('Callers of version 3 would get errors: one input is new.'),
      mayOverride: true,
    },
    { name: 'licence', state: 'green', text: of('Apache-2.0'), mayOverride: true },
    { name: 'p95', state: isRed ? 'red' : 'green', text: of('11.8 ms; at most 10 ms are allowed.'), mayOverride: true },
    { name: 'smoke', state: 'pending', text: of('Tried before traffic moves.'), mayOverride: false },
  ];
}

export const mayNothing: Review['may'] = {
  edit: false,
  submit: false,
  withdraw: false,
  approve: false,
  override: false,
  reject: false,
  ask: false,
  comment: false,
};

export function sampleEndpoint(text: string, more: Partial<Endpoint> = {}): Endpoint {
  const { endpoint, host } = wordsOf(text);
  return {
    name: endpoint,
    environment: 'production',
    hosts: [host],
    createdMs: nowMs - 90 * 24 * hour,
    createdBy: text,
    live: sampleLive(text),
    ...more,
  };
}

function side(text: string, role: TrafficSide['role'], more: Partial<TrafficSide>): TrafficSide {
  return {
    role,
    release: 8,
    model: wordsOf(text).model,
    version: 3,
    share: 0.75,
    state: 'ready',
    instances: 2,
    requests: 18_412,
    errors: 9,
    nonFinite: 0,
    crashes: 0,
    p50Ms: 4.1,
    p95Ms: 9.3,
    ...more,
  };
}

/** In the middle of a canary. */
export function sampleStatus(text: string): EndpointStatus {
  const rollout = sampleRelease(text, 'rolling-out');
  const before = sampleRelease(text, 'superseded', {
    id: 5,
    liveMs: nowMs - 40 * 24 * hour,
    request: sampleRequest(text, { version: 2 }),
  });
  return {
    endpoint: sampleEndpoint(text, { rollout }),
    sides: [
      side(text, 'live', {}),
      side(text, 'candidate', {
        release: 12,
        version: 4,
        share: 0.25,
        requests: 6120,
        errors: 61,
        nonFinite: 2,
        p50Ms: 5,
        p95Ms: 15.8,
        instances: 1,
      }),
    ],
    agreement: { compared: 1204, disagreed: 17 },
    guard: {
      latency: 'fine',
      errors: 'breach',
      nonFinite: 'fine',
      crashes: 'fine',
      disagreement: 'too_few',
      [text]: 'fine',
    },
    history: [rollout, sampleLive(text), before],
    events: sampleEvents(text),
    rollbackTargets: [8, 5],
  };
}

export function sampleEnvironments(text: string): Environment[] {
  const { isPlain } = wordsOf(text);
  return environmentNames.map((name) => ({
    name,
    settings: {
      ...defaultEnvironments[name],
      ...(name === 'production' && {
        deviceIds: ['GPU-0', text],
        maxInstances: 16,
        policy: { ...defaultEnvironments.production.policy, maxP95Ms: 10, loadTest: true },
        freezes: [
          {
            name: isPlain ? 'Weekend' : text,
            cron: isPlain ? '0 18 * * 5' : text,
            durationMs: 62 * hour,
            timeZone: isPlain ? 'Asia/Shanghai' : text,
          },
          { name: isPlain ? 'Year end' : text, cron: isPlain ? '0 0 24 12 *' : text, durationMs: 240 * hour },
        ],
      }),
    },
    revision: 2,
    changedMs: nowMs - 4 * 24 * hour,
    changedBy: text,
  }));
}

export function samplePoints(base: number): TrafficPoint[] {
  return Array.from({ length: 120 }, (_, i) => {
    const wave = 1 + Math.sin(i / 9) / 4 + Math.sin(i / 2.3) / 12;
    return {
      atMs: nowMs - (120 - i) * 5000,
      perSecond: base * wave,
      failuresPerSecond: i % 37 === 0 ? base / 40 : 0,
      p50Ms: 4 * wave,
      p95Ms: (9 + 300 / base) * wave,
      pending: 1,
    };
  });
}
