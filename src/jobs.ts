// Which work a job child can do, by the name it is started with.
import { findPack, type GpuPackOptions } from './device/gpu-pack.ts';
import { AppError } from './error.ts';
import { type FootprintRequest, measureFootprint } from './inference/footprint.ts';
import { inspectModel } from './inference/inspect.ts';
import { type TrialRequest, tryProvider } from './inference/provider-trial.ts';

type Handler = (request: unknown) => Promise<unknown>;

const handlers: Record<string, Handler | undefined> = {
  // A child's work, because it reads and sums up some hundred megabytes.
  'gpu-pack': async (request) => ({ pack: await findPack(request as GpuPackOptions) }),
  inspect: async (request) => {
    const { path, nativeFolder } = request as { path: string; nativeFolder: string };
    return inspectModel(path, { nativeFolder });
  },
  'try-provider': async (request) => tryProvider(request as TrialRequest),
  footprint: async (request) => measureFootprint(request as FootprintRequest),
};

export function findJobHandler(name: string): Handler {
  const handler = handlers[name];
  if (!handler) throw new AppError('internal', `There is no job '${name}'.`);
  return handler;
}
