// The screens of going live with sample data, by name: for tests and screenshots only.
import type { Review } from '../../src/release/control.ts';
import type { Html } from '../../web/html.ts';
import type { PreviewView } from '../../web/machine-views.ts';
import { compareScreen } from '../../web/screens/differences.ts';
import { endpointScreen } from '../../web/screens/endpoint.ts';
import { endpointsScreen } from '../../web/screens/endpoints.ts';
import { environmentFormScreen, environmentsScreen } from '../../web/screens/environments.ts';
import { chooseVersionScreen, releaseFormScreen, releasePreviewPart } from '../../web/screens/release-form.ts';
import { releaseScreen } from '../../web/screens/release.ts';
import { releasesScreen } from '../../web/screens/releases.ts';
import type { Frame } from '../../web/view-types.ts';
import {
  mayNothing,
  sampleChecks,
  sampleDifferences,
  sampleEndpoint,
  sampleEnvironments,
  sampleEvents,
  sampleEvidence,
  sampleLive,
  samplePoints,
  sampleRelease,
  sampleRequest,
  sampleStatus,
  wordsOf,
} from './release-samples.ts';
import { nowMs } from './samples.ts';

const gib = 1024 ** 3;
const hour = 3_600_000;
const blank = { values: {}, errors: {} };

function sampleOutcome(text: string): PreviewView {
  const words = wordsOf(text);
  return {
    model: words.model,
    version: 4,
    instances: 0,
    ways: [],
    passedOver: [],
    placements: [
      {
        kind: 'cuda',
        provider: 'cuda',
        batch: 32,
        bytes: 2.4 * gib,
        measured: true,
        version: `${words.model}:4`,
        deviceId: 'GPU-0',
        device: words.device,
        after: [],
        reason: words.isPlain ? 'The most free memory: 36 GiB.' : text,
      },
    ],
    evictions: [],
    refusals: [],
  };
}

/** What stands beside the form of a release. */
export function releasePreview(text: string): (frame: Frame) => Html {
  const live = { model: wordsOf(text).model, version: 3 };
  return (frame) =>
    releasePreviewPart(frame, { outcome: sampleOutcome(text), live, differences: sampleDifferences(text) });
}

/** @param text put wherever a person could have entered something */
export function releaseScreens(text: string): Record<string, (frame: Frame) => Html> {
  const words = wordsOf(text);
  const devices = [
    { id: 'GPU-0', label: words.device },
    { id: 'cpu', label: words.isPlain ? 'AMD EPYC 9654' : text },
  ];
  const outcome = sampleOutcome(text);
  const review = (more: Partial<Review>): Review => ({
    release: sampleRelease(text, 'submitted'),
    events: sampleEvents(text).slice(0, 4),
    live: sampleLive(text),
    differences: sampleDifferences(text),
    checks: sampleChecks(text),
    modelLicence: words.isPlain ? 'MIT' : text,
    may: mayNothing,
    ...more,
  });
  const shown =
    (more: Partial<Review>, form = blank, isOwn = false) =>
    (frame: Frame) =>
      releaseScreen(frame, { review: review(more), outcome, devices, form, isOwn });
  const subjects = [
    { model: words.model, versions: [4, 3, 2, 1] },
    { model: words.isPlain ? 'faces' : text, versions: [1] },
  ];
  const environments = sampleEnvironments(text);
  const values = {
    endpoint: words.endpoint,
    environment: 'production',
    minInstances: '1',
    maxInstances: '4',
    'device.GPU-0': 'on',
    inferenceTimeoutMs: '2000',
    maxQueueSize: '0',
    ratePerSecond: '500',
    domain: words.host,
    plan: 'canary',
    'step.0.percent': '5',
    'step.0.minutes': '10',
    'step.1.percent': '25',
    'step.1.minutes': '30',
    shadow: 'on',
    'shadow.percent': '20',
    'shadow.minutes': '10',
    minRequests: '200',
    stickyHeader: words.isPlain ? 'X-Session-Id' : text,
    notBefore: '',
    licence: words.isPlain ? 'Apache-2.0' : text,
    contact: text,
    statement: words.statement,
  };
  const formView = {
    model: words.model,
    version: 4,
    endpoints: [
      { name: words.endpoint, environment: 'production' as const },
      { name: 'faces-live', environment: 'staging' as const },
    ],
    environments,
    devices,
    modelLicence: words.isPlain ? 'Apache-2.0' : text,
    basis: JSON.stringify({ domain: text }),
    evidence: sampleEvidence(text),
    timeZone: 'Asia/Shanghai',
  };
  const status = sampleStatus(text);
  const callee = {
    origin: words.isPlain ? 'http://fraud.models.corp.lan:8700' : text,
    name: words.endpoint,
    manifest: { task: 'tensor' as const },
    signature: {
      inputs: [{ name: words.isPlain ? 'features' : text, datatype: 'FP32' as const, shape: [-1, 6] }],
      outputs: [{ name: words.isPlain ? 'score' : text, datatype: 'FP32' as const, shape: [-1, 2] }],
    },
  };
  const { id: _id, ...rest } = sampleRelease(text, 'live');
  const freezes = [{ nextMs: nowMs + 30 * hour }, { untilMs: nowMs + 9 * hour }];
  const wrong = { domain: text, 'step.1.percent': text, evidence: text, licence: text, '': text };
  return {
    releases: (frame) =>
      releasesScreen(frame, {
        rows: [
          sampleRelease(text, 'submitted'),
          sampleRelease(text, 'rolling-out', { id: 11 }),
          sampleRelease(text, 'changes-asked', { id: 10 }),
          sampleRelease(text, 'rejected', { id: 9 }),
          sampleLive(text),
          sampleRelease(text, 'rolled-back', { id: 7 }),
          sampleRelease(text, 'draft', { id: 6 }),
        ],
        waiting: [sampleRelease(text, 'submitted')],
        filter: { state: '', endpoint: '', environment: '' },
        before: 6,
        isFirstPage: true,
      }),
    'releases-none': (frame) =>
      releasesScreen(frame, {
        rows: [],
        waiting: [],
        filter: { state: '', endpoint: '', environment: '' },
        isFirstPage: true,
      }),
    'release-review': shown({
      may: { ...mayNothing, reject: true, ask: true, comment: true, override: true },
    }),
    'release-green': shown({
      checks: sampleChecks(text, false),
      differences: sampleDifferences(text).filter(({ weight }) => weight !== 'breaking'),
      may: { ...mayNothing, approve: true, reject: true, ask: true, comment: true },
    }),
    'release-draft': shown(
      {
        release: sampleRelease(text, 'changes-asked', { reason: words.comment }),
        live: undefined,
        differences: [],
        may: { ...mayNothing, edit: true, submit: true, withdraw: true, comment: true },
      },
      { values: { evidenceTitle: text, text }, errors: { '': text, evidence: text, text } },
      true,
    ),
    'release-rolling': shown({
      release: sampleRelease(text, 'rolling-out'),
      events: sampleEvents(text),
      checks: sampleChecks(text, false),
      may: { ...mayNothing, comment: true },
    }),
    'release-choose': (frame) => chooseVersionScreen(frame, { subjects, endpoint: text, environment: 'staging' }),
    'release-new': (frame) => releaseFormScreen(frame, { ...formView, form: { values, errors: {} } }),
    'release-edit': (frame) =>
      releaseFormScreen(frame, {
        ...formView,
        release: { ...rest, id: 12, state: 'draft', request: sampleRequest(text) },
        form: { values, errors: wrong },
      }),
    endpoints: (frame) =>
      endpointsScreen(frame, {
        rows: [
          { endpoint: status.endpoint, now: samplePoints(120).at(-1) },
          { endpoint: sampleEndpoint(text, { name: 'faces-live', environment: 'staging', hosts: [] }) },
          { endpoint: sampleEndpoint(text, { name: 'ocr', hosts: [], live: undefined }) },
        ],
      }),
    'endpoints-none': (frame) => endpointsScreen(frame, { rows: [] }),
    endpoint: (frame) =>
      endpointScreen(frame, {
        status,
        histories: [
          { label: `${words.model}:3`, points: samplePoints(90) },
          { label: `${words.model}:4`, points: samplePoints(30) },
        ],
        seen: '8-12',
        callee,
        address: '10.0.0.5',
        problem: text,
      }),
    'endpoint-live': (frame) => {
      const { guard: _guard, agreement: _agreement, ...calm } = status;
      return endpointScreen(frame, {
        status: {
          ...calm,
          endpoint: sampleEndpoint(text),
          sides: [{ ...status.sides[0]!, share: 1 }],
          history: status.history.slice(1),
          rollbackTargets: [5],
        },
        histories: [{ label: `${words.model}:3`, points: samplePoints(90) }],
        seen: '8',
        callee,
        address: '10.0.0.5',
      });
    },
    environments: (frame) =>
      environmentsScreen(frame, {
        devices,
        environments: environments.map((environment) => ({ environment, freezes, endpoints: 3, instances: 7 })),
      }),
    environment: (frame) =>
      environmentFormScreen(frame, {
        environment: environments[1]!,
        devices,
        freezes,
        isStale: true,
        form: {
          values: {
            'device.GPU-0': 'on',
            maxInstances: '16',
            maxEndpoints: text,
            keepWarmMinutes: '30',
            'requesters.owner': 'on',
            needsReview: 'on',
            'policy.smoke': 'on',
            maxP95Ms: '10',
            latencyFactor: '1.5',
            latencyFloorMs: '2',
            errorMargin: '1',
            nonFiniteMargin: '0',
            crashes: '0',
            disagreement: '10',
            minRequests: '20',
            watchMinutes: '30',
            'freeze.0.name': words.isPlain ? 'Weekend' : text,
            'freeze.0.cron': words.isPlain ? '0 18 * * 5' : text,
            'freeze.0.hours': '62',
            'freeze.0.zone': words.isPlain ? 'Asia/Shanghai' : text,
          },
          errors: { maxEndpoints: text, 'freeze.0.cron': text, freezes: text },
        },
      }),
    compare: (frame) =>
      compareScreen(frame, {
        subjects,
        a: { model: words.model, version: 3 },
        b: { model: words.model, version: 4 },
        differences: sampleDifferences(text),
      }),
    'compare-none': (frame) => compareScreen(frame, { subjects, problem: text }),
  };
}
