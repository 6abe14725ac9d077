// Reads the profile that ONNX Runtime writes of a session: which nodes ran on the CPU although another provider was asked
// for, and how much of a run they took.

export interface NodeAssignment {
  /** Nodes that ran on the CPU. A subgraph that a provider fused into one node counts as one. */
  cpuNodes: number;
  allNodes: number;
  /** Names of operators that ran on the CPU, each once. */
  cpuOperators: string[];
  /** 0…1. */
  fallbackByNodes: number;
  /** 0…1: part of the last run during which the CPU computed nodes. */
  fallbackByTime: number;
}

interface ProfileEvent {
  cat: string;
  name: string;
  /** Microseconds. */
  ts: number;
  dur: number;
  args?: { op_name?: string; provider?: string; node_index?: string };
}

/**
 * Nodes that compute nothing of the model by themselves: copies that ONNX Runtime put between devices, and control flow,
 * whose time is that of the nodes inside.
 */
const notCounted = new Set(['MemcpyFromHost', 'MemcpyToHost', 'If', 'Loop', 'Scan']);

/** @param json one event a line, as ONNX Runtime writes it; a file that was cut off at the end is read up to there */
export function readAssignment(json: string): NodeAssignment {
  const events = json.split('\n').flatMap(parseLine);
  const nodes = events.filter(
    ({ cat, args }) => cat === 'Node' && args?.provider !== undefined && !notCounted.has(args.op_name ?? ''),
  );
  const onCpu = nodes.filter(({ args }) => args?.provider === 'CPUExecutionProvider');
  const allNodes = countDistinct(nodes);
  const cpuNodes = countDistinct(onCpu);
  const run = events.findLast(({ cat, name }) => cat === 'Session' && name === 'model_run');
  // A GPU's nodes are only handed over to it, so their own durations say nothing: the whole run is what counts.
  const inRun = run ? onCpu.filter(({ ts }) => ts >= run.ts && ts < run.ts + run.dur) : [];
  const cpuTime = inRun.reduce((sum, { dur }) => sum + dur, 0);
  return {
    cpuNodes,
    allNodes,
    cpuOperators: [...new Set(onCpu.map(({ args }) => args?.op_name ?? ''))].sort(),
    fallbackByNodes: allNodes === 0 ? 0 : cpuNodes / allNodes,
    fallbackByTime: run && run.dur > 0 ? Math.min(1, cpuTime / run.dur) : 0,
  };
}

/** Each node runs several times. Numbers are given anew in each subgraph, and names may be empty. */
function countDistinct(nodes: ProfileEvent[]): number {
  return new Set(nodes.map(({ name, args }) => `${args?.node_index} ${args?.op_name} ${name}`)).size;
}

function parseLine(line: string): ProfileEvent[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line) as ProfileEvent];
  } catch {
    return [];
  }
}
