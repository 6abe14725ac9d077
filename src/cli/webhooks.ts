// Commands about webhooks: list, make, turn on and off, try, remove; and what was sent to them. A secret is printed once.
import { AppError } from '../error.ts';
import type { DeliveryState, Outcome } from '../notify/outbox.ts';
import type { WebhookRecord } from '../notify/webhooks.ts';
import { filled, whole } from '../setting-text.ts';
import { json } from './client.ts';
import type { Invocation } from './command.ts';
import { isSure, readOption, requireOption, runVerb, type Verb } from './reading.ts';
import { type Column, formatInstant, formatTime, renderTable } from './text.ts';

const verbs: Record<string, Verb> = {
  list: { takes: [], run: list },
  add: { takes: ['url', 'events', 'environment', 'endpoint'], operand: 'NAME', run: add },
  enable: { takes: [], operand: 'NAME', run: (invocation, name) => setEnabled(invocation, name, true) },
  disable: { takes: [], operand: 'NAME', run: (invocation, name) => setEnabled(invocation, name, false) },
  test: { takes: [], operand: 'NAME', run: test },
  renew: { takes: [], operand: 'NAME', run: renew },
  rm: { takes: ['yes'], operand: 'NAME', run: remove },
  log: { takes: ['limit'], run: showLog },
  retry: { takes: [], operand: 'ID', run: retry },
};

export function webhooks(invocation: Invocation): Promise<number | void> {
  return runVerb(invocation, verbs, 'list');
}

/** As the server answers, as far as it is read here. */
interface DeliveryAnswer {
  id: string;
  kind: string;
  receiverName: string;
  state: DeliveryState;
  attempts: number;
  queuedAt: string;
  nextAt: string | null;
  triedAt: string | null;
  status: number | null;
  answer: string | null;
}

type WebhookAnswer = Omit<WebhookRecord, 'createdMs'> & { last?: DeliveryAnswer };

interface NewWebhook {
  webhook: WebhookAnswer;
  secret: string;
}

async function list({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ webhooks: WebhookAnswer[] }>('/api/v1/webhooks');
  const columns: Column<WebhookAnswer>[] = [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'STATE', cell: ({ isEnabled }) => (isEnabled ? 'on' : 'off') },
    { title: 'EVENTS', cell: ({ kinds }) => (kinds === '*' ? 'all' : kinds.join(', ')) },
    {
      title: 'ABOUT',
      cell: ({ environment, endpoint }) => [environment, endpoint].filter(Boolean).join(', ') || 'any',
    },
    { title: 'LAST', cell: ({ last }) => (last?.triedAt ? `${last.state} ${formatTime(last.triedAt)}` : 'never') },
    { title: 'URL', cell: ({ url }) => url },
  ];
  await report.answer(answer, () =>
    answer.webhooks.length > 0
      ? renderTable(columns, answer.webhooks, report.terminal.width)
      : "There are no webhooks. 'aimass webhooks add NAME --url URL' makes one.",
  );
}

async function add(invocation: Invocation, name: string): Promise<void> {
  const settings = {
    name,
    url: requireOption(invocation, 'url', filled),
    kinds: readOption(invocation, 'events', (text) => text.split(',')) ?? '*',
    environment: readOption(invocation, 'environment', filled) ?? null,
    endpoint: readOption(invocation, 'endpoint', filled) ?? null,
  };
  const made = await invocation.client().post<NewWebhook>('/api/v1/webhooks', settings);
  await showOnce(invocation, made, `The webhook '${made.webhook.name}' is made.`);
}

async function setEnabled(invocation: Invocation, name: string, isEnabled: boolean): Promise<void> {
  const client = invocation.client();
  const { id } = await getWebhook(invocation, name);
  const call = { method: 'PATCH', ...json({ isEnabled }) };
  const webhook = await client.read<WebhookAnswer>(await client.send(pathOf(id), call));
  await invocation.report.answer(webhook, () => `The webhook '${webhook.name}' is ${isEnabled ? 'on' : 'off'}.`);
}

async function test(invocation: Invocation, typed: string): Promise<number> {
  const { id, name } = await getWebhook(invocation, typed);
  const result = await invocation.client().post<Outcome>(`${pathOf(id)}/test`);
  const { isDelivered, status, answer } = result;
  await invocation.report.answer(result, () =>
    [isDelivered ? `${name} took the test:` : `The test did not arrive at ${name}:`, status, answer]
      .filter((part) => part !== undefined)
      .join(' '),
  );
  return isDelivered ? 0 : 1;
}

async function renew(invocation: Invocation, name: string): Promise<void> {
  const { id } = await getWebhook(invocation, name);
  const made = await invocation.client().post<NewWebhook>(`${pathOf(id)}/secret`);
  await showOnce(invocation, made, `The secret of '${made.webhook.name}' is new; the old one has ended.`);
}

async function showOnce({ report }: Invocation, made: NewWebhook, what: string): Promise<void> {
  await report.answer(made, () => `${what} Its secret is shown this once:\n${made.secret}`);
}

async function remove(invocation: Invocation, typed: string): Promise<number> {
  const { id, name } = await getWebhook(invocation, typed);
  if (!(await isSure(invocation, `Remove the webhook '${name}' with its log?`))) return 1;
  await invocation.client().remove(pathOf(id));
  await invocation.report.answer({ removed: name }, () => `The webhook '${name}' is removed.`);
  return 0;
}

async function showLog(invocation: Invocation): Promise<void> {
  const { client, report } = invocation;
  const limit = readOption(invocation, 'limit', whole(1, 200)) ?? 50;
  const answer = await client().get<{ deliveries: DeliveryAnswer[] }>(`/api/v1/deliveries?limit=${limit}`);
  const columns: Column<DeliveryAnswer>[] = [
    { title: 'POSTED', cell: ({ queuedAt }) => formatInstant(queuedAt) },
    { title: 'EVENT', cell: ({ kind }) => kind },
    { title: 'TO', cell: ({ receiverName }) => receiverName },
    { title: 'STATE', cell: describeState },
    { title: 'ATTEMPTS', cell: ({ attempts }) => String(attempts), isRight: true },
    { title: 'ID', cell: ({ id }) => id },
    { title: 'ANSWER', cell: ({ status, answer: text }) => [status, text].filter(Boolean).join(' ') },
  ];
  await report.answer(answer, () =>
    answer.deliveries.length > 0
      ? renderTable(columns, answer.deliveries, report.terminal.width)
      : 'Nothing was sent yet.',
  );
}

function describeState({ state, attempts, nextAt }: DeliveryAnswer): string {
  if (state !== 'pending') return state === 'failed' ? 'not delivered' : state;
  return attempts === 0 || nextAt === null ? 'waiting' : `again at ${formatTime(nextAt)}`;
}

async function retry(invocation: Invocation, id: string): Promise<void> {
  const path = `/api/v1/deliveries/${encodeURIComponent(id)}/retry`;
  const delivery = await invocation.client().post<DeliveryAnswer>(path);
  await invocation.report.answer(delivery, () => `It is sent to ${delivery.receiverName} again.`);
}

/** @throws AppError not_found */
async function getWebhook({ client }: Invocation, name: string): Promise<WebhookAnswer> {
  const answer = await client().get<{ webhooks: WebhookAnswer[] }>('/api/v1/webhooks');
  const webhook = answer.webhooks.find((each) => each.name === name);
  if (webhook) return webhook;
  throw new AppError('not_found', `There is no webhook '${name.slice(0, 80)}'.`, "'aimass webhooks' lists them.");
}

const pathOf = (id: string) => `/api/v1/webhooks/${encodeURIComponent(id)}`;
