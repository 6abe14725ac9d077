// Where a webhook may lead: into the networks that the setting notify_to names.
import type { Networks } from '../access/networks.ts';
import { parseHttpUrl, type Reach } from '../net/target.ts';

/** @throws AppError invalid, also for a URL with a password, which would stand in logs */
export function parseTargetUrl(text: string): URL {
  return parseHttpUrl(text, 'a webhook', 'The receiver knows us by the signature.');
}

export const webhookReach = (networks: Networks): Reach => ({
  networks,
  setting: 'notify_to',
  who: 'webhooks',
  off: 'Webhooks are off: no network is named that they may reach.',
});
