// How a release is doing: once, or step by step until it is live or never will be.
import { AppError } from '../error.ts';
import type { ReleaseState } from '../release/types.ts';
import type { Invocation } from './command.ts';
import type { DetailAnswer, EndpointStatusAnswer } from './release-answers.ts';
import { describeEvent, describeWait, renderStatus } from './release-text.ts';
import { printable } from './report.ts';

const everyMs = 1000;

/** It goes on from these by itself, or when somebody decides. */
const underWay = new Set<ReleaseState>(['submitted', 'approved', 'rolling-out']);
const good = new Set<ReleaseState>(['live', 'superseded']);

export async function showStatus(invocation: Invocation, id: string): Promise<number | void> {
  if (invocation.options.has('follow')) return follow(invocation, id);
  await answerStatus(invocation, await getDetail(invocation, id));
}

/** Prints what happens as it happens. @returns 0 once it is live, 1 when it never will be */
export async function follow(invocation: Invocation, id: string): Promise<number> {
  const { report } = invocation;
  const { isJson, terminal } = report;
  let seen = 0;
  let said: string | undefined;
  for (;;) {
    const detail = await getDetail(invocation, id);
    for (const event of detail.events) {
      if (event.id <= seen) continue;
      seen = event.id;
      if (!isJson) await terminal.out(`${printable(describeEvent(event))}\n`);
    }
    const wait = describeWait(detail.release);
    if (wait !== undefined && wait !== said) report.note(wait);
    said = wait;
    const { state } = detail.release;
    if (!underWay.has(state)) {
      await answerStatus(invocation, detail);
      return good.has(state) ? 0 : 1;
    }
    await Bun.sleep(everyMs);
  }
}

function getDetail({ client }: Invocation, id: string): Promise<DetailAnswer> {
  return client().get<DetailAnswer>(`/api/v1/releases/${encodeURIComponent(id)}`);
}

async function answerStatus(invocation: Invocation, detail: DetailAnswer): Promise<void> {
  const { release } = detail;
  const isServing = release.state === 'live' || release.state === 'rolling-out';
  const endpoint = isServing ? await findEndpoint(invocation, release.request.endpoint) : undefined;
  const { report } = invocation;
  const answer = { ...detail, ...(endpoint && { sides: endpoint.sides, guard: endpoint.guard }) };
  await report.answer(answer, () => renderStatus(detail, endpoint, report.terminal.width));
}

/** It may have been removed a moment ago. */
async function findEndpoint({ client }: Invocation, name: string): Promise<EndpointStatusAnswer | undefined> {
  try {
    return await client().get<EndpointStatusAnswer>(`/api/v1/endpoints/${encodeURIComponent(name)}`);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  }
}
