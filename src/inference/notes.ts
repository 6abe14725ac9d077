// What one deployment did since somebody began to compare it with another: counts, a sample of latencies, and how many
// answers held values that are not finite. Costs a request well below a microsecond, and nothing when nobody looks.
import { AppError, type ErrorCode } from '../error.ts';
import type { TensorData } from '../types.ts';
import { createLatencySample } from './latency-sample.ts';

/** The server or the model is to blame for these. */
const faults: ReadonlySet<ErrorCode> = new Set(['overloaded', 'timeout', 'unavailable', 'model_failed', 'internal']);

const mostLatencies = 4096;
/** Of each output: a model that breaks gives such values in many places. */
const mostInspected = 1024;

export class Notes {
  requests = 0;
  errors = 0;
  inspected = 0;
  nonFinite = 0;
  /** Shadow answers compared with this one's, and those that differed. */
  compared = 0;
  disagreed = 0;
  /** Milliseconds, of the present stretch. */
  readonly latencies = createLatencySample(mostLatencies, Math.random);
  private stretch: string;

  constructor(
    readonly id: string,
    stretch: string,
  ) {
    this.stretch = stretch;
  }

  /** Latencies are of one split of traffic: with another they begin anew. */
  enter(stretch: string): void {
    if (stretch === this.stretch) return;
    this.stretch = stretch;
    this.latencies.restart();
  }

  inspect(outputs: readonly TensorData[]): void {
    this.inspected++;
    if (outputs.some(hasNonFinite)) this.nonFinite++;
  }

  answered(totalNs: number): void {
    this.requests++;
    this.latencies.record(totalNs / 1e6);
  }

  failed(error: unknown): void {
    this.requests++;
    if (isFault(error)) this.errors++;
  }

  countComparison(isSame: boolean): void {
    this.compared++;
    if (!isSame) this.disagreed++;
  }
}

export function isFault(error: unknown): boolean {
  return !(error instanceof AppError) || faults.has(error.code);
}

/** Looks at the first values of an output only. */
export function hasNonFinite({ datatype, bytes }: TensorData): boolean {
  const values = floatsOf(datatype, bytes);
  return values !== undefined && !values.every(Number.isFinite);
}

/** The first values of a tensor of floats, copied; undefined for other types. */
function floatsOf(datatype: TensorData['datatype'], bytes: Uint8Array) {
  const first = (width: number) => bytes.slice(0, width * Math.min(mostInspected, Math.floor(bytes.length / width)));
  switch (datatype) {
    case 'FP16':
      return new Float16Array(first(2).buffer);
    case 'FP32':
      return new Float32Array(first(4).buffer);
    case 'FP64':
      return new Float64Array(first(8).buffer);
    default:
      return undefined;
  }
}
