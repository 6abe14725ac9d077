// The command `release`: ask for a model to go live, decide on it, follow it, and take it back.
import { AppError } from '../error.ts';
import { evidenceKinds, releaseStates } from '../release/types.ts';
import { filled, oneOf, whole } from '../setting-text.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { findAddress, followSteps } from './importing.ts';
import { readOption, requireOption, runVerb, type Verb } from './reading.ts';
import { formatReference, parseReference } from './reference.ts';
import type { DetailAnswer, EventAnswer, ReleaseAnswer, RequestAnswer, ReviewAnswer } from './release-answers.ts';
import { follow, showStatus } from './release-status.ts';
import { describeRelease, renderRed, renderReleases, renderReview } from './release-text.ts';
import { readWish, wishNames } from './release-wish.ts';

const verbs: Record<string, Verb> = {
  list: { takes: ['state', 'endpoint', 'model', 'environment', 'limit'], run: list },
  submit: { takes: [...wishNames, 'from', 'draft', 'follow'], operand: 'NAME[:VERSION]', run: submit },
  change: { takes: wishNames, operand: 'ID', run: change },
  send: { takes: ['follow'], operand: 'ID', run: send },
  status: { takes: ['follow'], operand: 'ID', run: showStatus },
  show: { takes: [], operand: 'ID', run: show },
  approve: { takes: ['comment', 'override', 'follow'], operand: 'ID', run: approve },
  reject: { takes: ['reason'], operand: 'ID', run: (invocation, id) => refuse(invocation, id, 'reject') },
  ask: { takes: ['reason'], operand: 'ID', run: (invocation, id) => refuse(invocation, id, 'ask-changes') },
  withdraw: { takes: ['reason'], operand: 'ID', run: withdraw },
  comment: { takes: [], operand: 'ID', second: 'TEXT', run: comment },
  attach: { takes: ['title', 'text', 'url', 'numbers', 'kind'], operand: 'ID', run: attach },
  advance: { takes: ['follow'], operand: 'ID', run: (invocation, id) => step(invocation, id, 'advance') },
  rollback: { takes: ['to', 'reason'], operand: 'ENDPOINT', run: rollback },
};

export function release(invocation: Invocation): Promise<number | void> {
  return runVerb(invocation, verbs, 'list');
}

async function list(invocation: Invocation): Promise<void> {
  const filter = {
    state: readOption(invocation, 'state', oneOf(releaseStates)),
    endpoint: readOption(invocation, 'endpoint', filled),
    model: readOption(invocation, 'model', filled),
    environment: readOption(invocation, 'environment', filled),
    limit: readOption(invocation, 'limit', whole(1, 1000)),
  };
  const query = queryOf(filter);
  const answer = await invocation
    .client()
    .get<{ releases: ReleaseAnswer[]; waiting: number }>(`/api/v1/releases${query}`);
  const { report } = invocation;
  await report.answer(answer, () => renderReleases(answer.releases, answer.waiting, report.terminal.width));
}

async function submit(invocation: Invocation, text: string): Promise<number | void> {
  const { name, version } = parseReference(text);
  const endpoint = readOption(invocation, 'endpoint', filled) ?? name;
  const environment = readOption(invocation, 'environment', filled);
  const client = invocation.client();
  const subject = { model: name, ...(version !== undefined && { version }), endpoint };
  const wish = await readWish(invocation, async () => {
    const query = queryOf({ ...subject, environment });
    return (await client.get<RequestAnswer>(`/api/v1/release-defaults${query}`)).rollout;
  });
  const from = readOption(invocation, 'from', readAddress);
  const draft = await create(invocation, { ...subject, ...wish, ...(from !== undefined && { from }) });
  if (invocation.options.has('draft')) {
    await invocation.report.answer(
      draft,
      () => `${describeRelease(draft)} 'aimass release send ${draft.id}' sends it.`,
    );
    return;
  }
  try {
    return await send(invocation, String(draft.id));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message, hint = '' } = error;
    const kept = `It is kept as draft ${draft.id}: 'aimass release change' and 'aimass release send' go on with it.`;
    throw new AppError(code, message, `${hint} ${kept}`.trim());
  }
}

/** What is to be fetched first is followed while it is. */
async function create(invocation: Invocation, wish: object): Promise<ReleaseAnswer> {
  const client = invocation.client();
  if (!('from' in wish)) return client.post<ReleaseAnswer>('/api/v1/releases', wish);
  type Made = { release: ReleaseAnswer };
  return (await followSteps<Made>(client, '/api/v1/releases', wish, 'release', invocation.report)).release;
}

function readAddress(text: string): string {
  const address = findAddress(text);
  if (address !== undefined) return address;
  const hint = "Write https://… or server:/PATH; what lies on this machine is for 'aimass push'.";
  throw new AppError('invalid', `'${text.slice(0, 100)}' is nothing that the server could fetch`, hint);
}

async function change(invocation: Invocation, id: string): Promise<void> {
  const client = invocation.client();
  const { release: before } = await client.get<DetailAnswer>(pathOf(id));
  const wish = await readWish(invocation, async () => before.request.rollout);
  if (Object.keys(wish).length === 0) throw new UsageError('Nothing is to be changed.', "See 'aimass help release'.");
  const body = json({ ...wish, revision: before.revision });
  const after = await client.read<ReleaseAnswer>(await client.send(pathOf(id), { method: 'PATCH', ...body }));
  await invocation.report.answer(after, () => `Release ${after.id} is changed: ${Object.keys(wish).join(', ')}.`);
}

async function show(invocation: Invocation, id: string): Promise<void> {
  const review = await invocation.client().get<ReviewAnswer>(`${pathOf(id)}/review`);
  const { report } = invocation;
  await report.answer(review, () => renderReview(review, report.terminal.width));
}

async function approve(invocation: Invocation, id: string): Promise<number | void> {
  const body = {
    comment: readOption(invocation, 'comment', filled),
    override: readOption(invocation, 'override', filled),
  };
  return step(invocation, id, 'approve', body);
}

function refuse(invocation: Invocation, id: string, verb: 'reject' | 'ask-changes'): Promise<number | void> {
  return step(invocation, id, verb, { reason: requireOption(invocation, 'reason', filled) });
}

function withdraw(invocation: Invocation, id: string): Promise<number | void> {
  return step(invocation, id, 'withdraw', { reason: readOption(invocation, 'reason', filled) });
}

async function step(invocation: Invocation, id: string, verb: string, body: object = {}): Promise<number | void> {
  const after = await invocation.client().post<ReleaseAnswer>(`${pathOf(id)}/${verb}`, body);
  if (invocation.options.has('follow')) return follow(invocation, String(after.id));
  await invocation.report.answer(after, () => describeRelease(after));
}

/** Whoever asks hears at once what would keep a reviewer from saying yes. */
async function send(invocation: Invocation, id: string): Promise<number | void> {
  const { options, report } = invocation;
  const client = invocation.client();
  const after = await client.post<ReleaseAnswer>(`${pathOf(id)}/submit`, {});
  const { checks } = await client.get<ReviewAnswer>(`${pathOf(id)}/review`);
  const red = renderRed(checks, report.terminal.width);
  if (options.has('follow')) {
    if (red !== '') report.note(red);
    return follow(invocation, String(after.id));
  }
  await report.answer({ ...after, checks }, () => [describeRelease(after), ...(red === '' ? [] : [red])].join('\n'));
}

async function comment({ client, report }: Invocation, id: string, text: string): Promise<void> {
  const event = await client().post<EventAnswer>(`${pathOf(id)}/comments`, { text });
  await report.answer(event, () => `It stands beside release ${event.release} now.`);
}

async function attach(invocation: Invocation, id: string): Promise<void> {
  const url = readOption(invocation, 'url', filled);
  const numbers = readOption(invocation, 'numbers', readNumbers);
  const evidence = {
    kind: readOption(invocation, 'kind', oneOf(evidenceKinds)) ?? (url === undefined ? 'text' : 'link'),
    title: requireOption(invocation, 'title', filled),
    text: readOption(invocation, 'text', filled),
    url,
    numbers,
  };
  const after = await invocation.client().post<ReleaseAnswer>(`${pathOf(id)}/evidence`, evidence);
  await invocation.report.answer(after, () => `'${evidence.title}' is attached to release ${after.id}.`);
}

function readNumbers(text: string): Record<string, number> {
  const pairs = text.split(',').map((pair): [string, number] => {
    const [, name, value] = /^([^=]{1,100})=(-?\d+(?:\.\d+)?(?:e-?\d+)?)$/i.exec(pair.trim()) ?? [];
    if (name !== undefined) return [name, Number(value)];
    throw new AppError('invalid', `'${pair.slice(0, 40)}' is not NAME=NUMBER`, 'Write it as accuracy=0.97.');
  });
  return Object.fromEntries(pairs);
}

async function rollback(invocation: Invocation, endpoint: string): Promise<void> {
  const to = readOption(invocation, 'to', whole(1, Number.MAX_SAFE_INTEGER));
  const reason = readOption(invocation, 'reason', filled);
  const path = `/api/v1/endpoints/${encodeURIComponent(endpoint)}/rollback`;
  const live = await invocation.client().post<ReleaseAnswer>(path, { to, reason });
  const { model: name, version } = live.request;
  await invocation.report.answer(
    live,
    () => `${endpoint} is answered by ${formatReference({ name, version })} again (release ${live.id}).`,
  );
}

/** With its question mark; without what is undefined. */
function queryOf(values: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  return query.size > 0 ? `?${query.toString()}` : '';
}

const pathOf = (id: string) => `/api/v1/releases/${encodeURIComponent(id)}`;
