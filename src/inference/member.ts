// Starts one instance at the place that the planner chose: proves that its way of running works there and measures what it
// takes, if nobody has yet, deals it threads, and starts its process. Decides nothing about places.
import type { CpuTopology } from '../device/cpu.ts';
import type { DecisionKind } from '../device/decisions.ts';
import type { Device } from '../device/device.ts';
import type { Ledger } from '../device/ledger.ts';
import { dealThreads, type ThreadShare } from '../device/threads.ts';
import { messageOf } from '../error.ts';
import { log } from '../log.ts';
import { batchOf, isLive, isReady, type Member } from './deployment.ts';
import { Instance, type InstanceEnd } from './instance.ts';
import { type Runtime, visibleDeviceOf, type Way, type WayBook } from './ways.ts';

export interface MemberParts {
  ways: WayBook;
  topology(): CpuTopology;
  /** Cores that all instances may use together. */
  cores: number;
  /** Folder in shared memory for sockets and slots. */
  runFolder: string;
  loadTimeoutMs: number;
  /** Where the dynamic loader of a child looks first. */
  searchPath: readonly string[];
}

const avoidMs = 60_000;

interface Place {
  device: Device;
  way: Way;
  runtime: Runtime;
}

interface Hooks {
  ledger: Ledger;
  /** All that there are. */
  others: readonly Member[];
  onChange(): void;
  onEnd(end: InstanceEnd): boolean;
  decide(kind: DecisionKind, reason: string): void;
  /** Has work done that nobody waits for. */
  later(work: () => Promise<void>): void;
}

/**
 * Its memory is reserved already.
 * @returns false when its way of running does not work there, or it takes more than there is
 */
export async function startMember(member: Member, place: Place, parts: MemberParts, hooks: Hooks): Promise<boolean> {
  const isOnGpu = place.way.provider !== 'cpu';
  if (isOnGpu && !(await isProven(member, place, parts, hooks))) return false;
  if (isOnGpu && !place.way.footprint.measured && !(await fits(member, place, parts, hooks))) return false;
  // Taken away meanwhile.
  if (member.state === 'ending') return false;
  spawn(member, place, parts, hooks);
  return true;
}

async function isProven(member: Member, { device, way, runtime }: Place, parts: MemberParts, hooks: Hooks) {
  if (way.trial) return true;
  const { record, modelPath } = member.deployment;
  const { trial, reason } = await parts.ways.try(record, way, device, modelPath, runtime, parts.searchPath);
  if (reason !== undefined) {
    hooks.decide('provider', `${way.provider} on ${device.name} is passed over: ${reason}`);
    // It was for want of room or time: another try later may pass.
    if (!parts.ways.remembers(record, way, device, runtime))
      member.deployment.avoided.set(device.id, Date.now() + avoidMs);
    return false;
  }
  const left = trial.ok ? (trial.assignment?.fallbackByNodes ?? 0) : 0;
  const rest = left > 0 ? `; ${Math.round(left * 100)} % of its nodes run on the CPU` : '';
  hooks.decide('provider', `${way.provider} on ${device.name} computes it rightly${rest}`);
  return true;
}

/** Measures what it takes. @returns false when that is more than was promised, and more than is left */
async function fits(
  member: Member,
  { device, way, runtime }: Place,
  parts: MemberParts,
  hooks: Hooks,
): Promise<boolean> {
  const { record, modelPath } = member.deployment;
  try {
    const { bytes } = await parts.ways.measure(record, { way, device, modelPath, runtime, isPatient: false });
    hooks.decide('measured', describeMeasured(way, bytes, device));
    const more = bytes - member.bytes;
    const isRoom = more <= hooks.ledger.available(device.id);
    hooks.ledger.release(member.id);
    if (!isRoom) return false;
    hooks.ledger.reserve(member.id, device.id, bytes);
    Object.assign(member, { bytes, measured: true });
  } catch (error) {
    // The estimate has to do.
    log('warn', 'footprint not measured', { version: member.deployment.key, reason: messageOf(error) });
  }
  return true;
}

function describeMeasured({ footprint, batch }: Way, bytes: number, { name }: Device): string {
  const mebibytes = (value: number) => `${Math.round(value / 1024 ** 2)} MiB`;
  const off = Math.round(((footprint.estimatedBytes - bytes) / bytes) * 100);
  return `takes ${mebibytes(bytes)} on ${name} ${batch > 0 ? `at batch ${batch}` : 'one request at a time'}; the estimate was ${mebibytes(footprint.estimatedBytes)} (${off > 0 ? '+' : ''}${off} %)`;
}

function spawn(member: Member, place: Place, parts: MemberParts, hooks: Hooks): void {
  const { deployment, id } = member;
  const { device, way, runtime } = place;
  const { model, version } = deployment.record;
  const { threads, nodes } = shareOf(member, place, parts, hooks.others);
  const { topology } = parts;
  const cores = topology().nodes.length > 1 ? coresOf(topology(), nodes) : undefined;
  member.state = 'running';
  member.instance = new Instance({
    id,
    model,
    version,
    modelPath: deployment.modelPath,
    threads,
    device: device.id,
    provider: way.provider,
    visibleDevice: visibleDeviceOf(device),
    ...(cores && { cores }),
    warmUp: { batch: batchOf(deployment) },
    nativeFolder: runtime.folder,
    runFolder: parts.runFolder,
    loadTimeoutMs: parts.loadTimeoutMs,
    onSpawn: (pid) => hooks.ledger.find(id) && hooks.ledger.attach(id, pid),
    onEnd: (end) => hooks.onEnd(end),
    onChange: () => {
      if (member.readyAtMs === 0 && isReady(member)) noteReady(member, place, parts, hooks);
      hooks.onChange();
    },
  });
}

function noteReady(member: Member, place: Place, parts: MemberParts, hooks: Hooks): void {
  const { deployment, id, bytes } = member;
  member.readyAtMs = Date.now();
  deployment.loadMs = performance.now() - member.orderedAtMs;
  if (hooks.ledger.find(id)) hooks.ledger.commit(id, bytes);
  hooks.decide('loaded', `ready after ${Math.round(deployment.loadMs)} ms`);
  if (!member.measured && place.way.provider === 'cpu') hooks.later(() => measureLater(member, place, parts, hooks));
}

/** The host's memory is rarely short, so that an instance on it need not wait for its measurement. */
async function measureLater(
  member: Member,
  { device, way, runtime }: Place,
  parts: MemberParts,
  hooks: Hooks,
): Promise<void> {
  const { deployment, id } = member;
  if (!isLive(member) || member.measured) return;
  try {
    const request = { way, device, modelPath: deployment.modelPath, runtime, isPatient: true };
    const { bytes } = await parts.ways.measure(deployment.record, request);
    hooks.decide('measured', describeMeasured(way, bytes, device));
    for (const each of deployment.members.filter(isReady)) {
      if (each.placement.deviceId !== device.id || !hooks.ledger.find(each.id)) continue;
      Object.assign(each, { bytes, measured: true });
      hooks.ledger.commit(each.id, bytes);
    }
  } catch (error) {
    if (isLive(member)) log('warn', 'footprint not measured', { instance: id, reason: messageOf(error) });
  }
}

/**
 * On the CPU half the cores at most, because requests are decoded on the others and many small threads help a single request
 * little; beside a GPU one, for the nodes that it leaves to the CPU.
 */
function shareOf(
  member: Member,
  { device, way }: Place,
  { cores, topology }: MemberParts,
  others: readonly Member[],
): ThreadShare {
  const dealt = others
    .filter((other) => other !== member && other.instance !== undefined && isLive(other))
    .map(({ id, instance }) => ({ id, threads: instance!.options.threads, weight: 1 }));
  const free = Math.max(1, cores - dealt.reduce((sum, { threads }) => sum + threads, 0));
  const usual = way.provider === 'cpu' ? Math.max(1, Math.min(8, Math.floor(cores / 2))) : 1;
  const threads = member.deployment.record.manifest.serving.threads || Math.min(usual, free);
  const { nodes, allowedCpus } = topology();
  const rooms = nodes.map(({ id, cpus }) => ({ id, cores: cpus.filter((cpu) => allowedCpus.includes(cpu)).length }));
  const usable = rooms.filter(({ cores: count }) => count > 0);
  const { shares } = dealThreads([...dealt, { id: member.id, threads, weight: 1 }], usable, cores);
  const share = shares.at(-1)!;
  return device.numaNode === undefined ? share : { ...share, nodes: [device.numaNode] };
}

function coresOf({ nodes, allowedCpus }: CpuTopology, wanted: readonly number[]): number[] {
  return nodes
    .filter(({ id }) => wanted.includes(id))
    .flatMap(({ cpus }) => cpus.filter((cpu) => allowedCpus.includes(cpu)));
}
