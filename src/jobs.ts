// Which work a job child can do, by the name it is started with.
import { AppError } from './error.ts';
import { inspectModel } from './inference/inspect.ts';

type Handler = (request: unknown) => Promise<unknown>;

const handlers: Record<string, Handler | undefined> = {
  inspect: async (request) => {
    const { path, nativeFolder } = request as { path: string; nativeFolder: string };
    return inspectModel(path, { nativeFolder });
  },
};

export function findJobHandler(name: string): Handler {
  const handler = handlers[name];
  if (!handler) throw new AppError('internal', `There is no job '${name}'.`);
  return handler;
}
