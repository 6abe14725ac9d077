// Secrets of webhooks and the signatures made with them, as the Standard Webhooks specification 1.0 has them
// (standardwebhooks.com): receivers in most languages find a library that checks them.
import { createHmac, randomBytes } from 'node:crypto';

const prefix = 'whsec_';
const secretBytes = 32;

/** @returns "whsec_" and 256 random bits in base64 */
export function makeWebhookSecret(): string {
  return prefix + randomBytes(secretBytes).toString('base64');
}

/**
 * The headers that show who sent a body, and when.
 * @param secret as `makeWebhookSecret` made it
 * @param id the same for each attempt
 * @param atMs when it is sent: receivers refuse what is older than a few minutes
 */
export function signatureHeaders(secret: string, id: string, atMs: number, body: string): Record<string, string> {
  const seconds = String(Math.floor(atMs / 1000));
  const key = Buffer.from(secret.slice(prefix.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` };
}
