// Sends made-up requests to one version for a while, so many at a time, and measures. It goes through the queue and the
// batches that callers go through; reading and writing of HTTP is not part of it.
import { AppError } from '../error.ts';
import { makeInputs } from '../inference/made-up.ts';
import type { DataPlane } from '../inference/plane.ts';
import type { VersionRoute } from '../inference/routing.ts';
import type { TensorData } from '../types.ts';
import type { Evidence } from './types.ts';

const guesses = [8, 1, 64, 224];
const mostLatencies = 1_000_000;

/**
 * @returns evidence with numbers `perSecond`, `p50Ms`, `p95Ms`, `p99Ms`, `requests`, `errors`, `connections`, `seconds`
 * @throws AppError invalid when it takes no made-up request, conflict when it was cancelled
 */
export async function loadTest(
  plane: Pick<DataPlane, 'infer'>,
  route: VersionRoute,
  { seconds, connections }: { seconds: number; connections: number },
  signal?: AbortSignal,
): Promise<Evidence> {
  const { fallback: _, shadow: __, ...alone } = route;
  const inputs = await findInputs(plane, alone);
  const latenciesMs: number[] = [];
  let errors = 0;
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  async function caller(): Promise<void> {
    while (performance.now() < endMs && !signal?.aborted) {
      const sentMs = performance.now();
      try {
        await plane.infer(alone, { inputs, signal }, () => {});
        if (latenciesMs.length < mostLatencies) latenciesMs.push(performance.now() - sentMs);
      } catch {
        errors++;
        // A version that fails at once must not keep the server busy with nothing else.
        await Bun.sleep(1);
      }
    }
  }
  await Promise.all(Array.from({ length: connections }, caller));
  if (signal?.aborted) throw new AppError('conflict', 'The load test was cancelled.');
  const elapsed = (performance.now() - startedMs) / 1000;
  latenciesMs.sort((a, b) => a - b);
  const requests = latenciesMs.length + errors;
  const quantile = (share: number) => rounded(latenciesMs[Math.ceil(share * latenciesMs.length) - 1] ?? NaN);
  const speed = { p50Ms: quantile(0.5), p95Ms: quantile(0.95), p99Ms: quantile(0.99) };
  return {
    kind: 'load-test',
    title: `${route.registered}:${route.version}, ${connections} at a time for ${seconds} s`,
    text: 'Made-up requests through queue and batches; without HTTP.',
    numbers: {
      ...(latenciesMs.length > 0 && speed),
      perSecond: rounded(latenciesMs.length / elapsed),
      requests,
      errors,
      connections,
      seconds,
    },
    atMs: Date.now(),
  };
}

async function findInputs(plane: Pick<DataPlane, 'infer'>, route: VersionRoute): Promise<TensorData[]> {
  let problem = 'its tensors are too large';
  for (const guess of guesses) {
    const inputs = makeInputs(route.signature, 1, guess);
    if (!inputs) continue;
    try {
      await plane.infer(route, { inputs }, () => {});
      return inputs;
    } catch (error) {
      if (!(error instanceof AppError) || (error.code !== 'model_failed' && error.code !== 'invalid')) throw error;
      problem = error.message;
    }
  }
  throw new AppError(
    'invalid',
    `It takes no made-up request: ${problem}`,
    'Measure it with requests of your own and attach the numbers.',
  );
}

const rounded = (value: number) => Number(value.toPrecision(4));
