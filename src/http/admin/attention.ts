// What a person should look at: versions that failed or found no room, devices that are lost or full, what the doctor
// found, releases that wait or were taken off, keys that expire soon.
import type { Attention, DeviceView } from '../../../web/machine-views.ts';
import { type Actor, mayDo } from '../../access/actor.ts';
import type { Finding } from '../../device/doctor.ts';
import type { VersionPlacement } from '../../device/placement-views.ts';
import type { MachineContext } from './machine-routes.ts';
import { releaseAttention } from './release-attention.ts';

const fullShare = 0.95;
const soonMs = 14 * 24 * 3_600_000;
/** Far enough back for the latest decision about each version. */
const mostDecisions = 200;

/** Worst first. @param actor who looks: what she may not know is left out */
export function findAttention(
  { control, access, health }: MachineContext,
  devices: readonly DeviceView[],
  actor: Actor,
  nowMs: number,
): Attention[] {
  const { versions } = control.placement.overview();
  const refused = refusedVersions(control);
  const found = versions.flatMap((version) => ofVersion(version, refused));
  const releases = releaseAttention(control, actor, nowMs);
  return [
    ...found.filter(({ kind }) => kind === 'failed'),
    ...releases.filter(({ kind }) => kind === 'release-off'),
    ...devices.flatMap(ofDevice),
    ...(mayDo(actor, 'doctor.read') ? troubles(health.known() ?? [], devices) : []),
    ...found.filter(({ kind }) => kind !== 'failed'),
    ...releases.filter(({ kind }) => kind !== 'release-off'),
    ...expiringKeys(access, actor, nowMs),
  ];
}

/** "model:version" of those about which a refusal was the last word. */
function refusedVersions({ placement }: MachineContext['control']): ReadonlySet<string> {
  const last = new Map<string, string>();
  for (const { kind, model, version } of placement.decisions({ limit: mostDecisions })) {
    if (!last.has(`${model}:${version}`)) last.set(`${model}:${version}`, kind);
  }
  return new Set([...last].filter(([, kind]) => kind === 'refused').map(([key]) => key));
}

function ofVersion(placement: VersionPlacement, refused: ReadonlySet<string>): Attention[] {
  const { model, version, state, instances, wanted, reason = '' } = placement;
  if (state === 'failed') return [{ kind: 'failed', model, version, reason }];
  if (!refused.has(`${model}:${version}`) || reason === '') return [];
  if (instances === 0) return [{ kind: 'refused', model, version, reason }];
  return instances < wanted ? [{ kind: 'fewer', model, version, reason }] : [];
}

function ofDevice({ label, device: { state, reason = '', reading } }: DeviceView): Attention[] {
  if (state === 'lost') return [{ kind: 'lost', label, reason }];
  const share = reading.totalBytes > 0 ? reading.usedBytes / reading.totalBytes : 0;
  return share >= fullShare ? [{ kind: 'full', label, share }] : [];
}

/** A lost device is told of at once; the doctor would tell of it again. */
function troubles(findings: readonly Finding[], devices: readonly DeviceView[]): Attention[] {
  const lost = devices.filter(({ device }) => device.state === 'lost');
  const isTold = ({ topic, what }: Finding) =>
    topic === 'gpu' && lost.some(({ device }) => what.startsWith(device.name));
  return findings.flatMap((finding): Attention[] => {
    const { level, what, fix = '' } = finding;
    return level === 'ok' || isTold(finding) ? [] : [{ kind: 'trouble', level, what, fix }];
  });
}

function expiringKeys({ keys }: MachineContext['access'], actor: Actor, nowMs: number): Attention[] {
  if (actor.kind !== 'user') return [];
  const list = keys.list(mayDo(actor, 'key.manage') ? undefined : actor.id);
  return list.flatMap(({ name, expiresMs, revokedMs }): Attention[] => {
    const isSoon = revokedMs === null && expiresMs !== null && expiresMs > nowMs && expiresMs < nowMs + soonMs;
    return isSoon ? [{ kind: 'key', name, expiresMs }] : [];
  });
}
