// Sends an event to a webhook: JSON, signed, to an address that was looked at first.
import type { Networks } from '../access/networks.ts';
import { AppError, messageOf } from '../error.ts';
import { beforeAbort } from '../net/before-abort.ts';
import { findTarget, type Resolve } from '../net/target.ts';
import { testKind } from './event.ts';
import type { DueDelivery, Outbox, Outcome, StoredEvent } from './outbox.ts';
import { postPinned } from './pinned-post.ts';
import { signatureHeaders } from './signature.ts';
import { webhookReach } from './target.ts';
import type { Webhooks } from './webhooks.ts';

/** From looking up the name to the end of the answer. */
const usualTimeoutMs = 10_000;

export interface WebhookChannelParts {
  outbox: Outbox;
  webhooks: Webhooks;
  networks: Networks;
  resolve: Resolve;
  now: () => number;
  /** Origin that people's browsers use. */
  baseUrl: () => string;
  version: string;
  timeoutMs?: number;
  /** Authorities besides the system's, as PEM. */
  ca?: string;
}

/** Never rejects. @param id of the webhook */
export async function sendToWebhook(
  parts: WebhookChannelParts,
  id: string,
  delivery: DueDelivery,
  stopping: AbortSignal,
): Promise<Outcome> {
  const { outbox, webhooks, now, version, timeoutMs = usualTimeoutMs } = parts;
  const event = outbox.getEvent(delivery.event);
  const webhook = webhooks.find(id);
  if (!webhook) return { isDelivered: false, isFinal: true, answer: 'The webhook was removed.' };
  if (!webhook.isEnabled && event.kind !== testKind) {
    return { isDelivered: false, isFinal: true, answer: 'The webhook is turned off.' };
  }
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([stopping, timeout]);
  try {
    const url = new URL(webhook.url);
    const body = bodyOf(event, parts.baseUrl());
    const address = await beforeAbort(findTarget(url, webhookReach(parts.networks), parts.resolve), signal);
    const headers = {
      'content-type': 'application/json',
      'user-agent': `aimass/${version}`,
      ...signatureHeaders(webhooks.openSecret(id), delivery.id, now(), body),
    };
    return judge(await postPinned({ url, address, headers, body, signal, ca: parts.ca }));
  } catch (error) {
    return { isDelivered: false, answer: timeout.aborted ? `No answer within ${timeoutMs} ms.` : reasonOf(error) };
  }
}

function bodyOf({ id, kind, atMs, title, text, path, data }: StoredEvent, baseUrl: string): string {
  const timestamp = new Date(atMs).toISOString();
  return JSON.stringify({ type: kind, timestamp, id, title, text, url: baseUrl + path, data });
}

function judge({ status, text }: { status: number; text: string }): Outcome {
  if (status >= 200 && status < 300) return { isDelivered: true, status, answer: text };
  // Gone is how a receiver says that it wants no more.
  const isFinal = status === 410;
  const isElsewhere = status >= 300 && status < 400;
  return {
    isDelivered: false,
    isFinal,
    status,
    answer: isElsewhere ? 'It leads elsewhere, which is not followed.' : text,
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof AppError) return `${error.message} ${error.hint ?? ''}`.trim();
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? `${messageOf(error)} (${code})` : messageOf(error);
}
