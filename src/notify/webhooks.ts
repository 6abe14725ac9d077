// The webhooks that administrators have made: programs on the network that are told of events. Keeps their secrets sealed
// and gives them out once. Sends nothing.
import type { Database } from 'bun:sqlite';
import { isIP } from 'node:net';

import type { Networks } from '../access/networks.ts';
import { openText, sealText } from '../access/sealed.ts';
import { AppError } from '../error.ts';
import { hostOf, requireAllowed } from '../net/target.ts';
import type { EventKind } from './event.ts';
import { makeWebhookSecret } from './signature.ts';
import { parseTargetUrl, webhookReach } from './target.ts';
import { checkWebhook, takesEvent, type WebhookSettings } from './webhook-settings.ts';

export interface WebhookRecord extends WebhookSettings {
  id: string;
  createdMs: number;
  createdBy: string;
}

type Row = Omit<WebhookRecord, 'kinds' | 'isEnabled'> & { kinds: string; isEnabled: 0 | 1 };

const columns = `id, name, url, kinds, environment, endpoint, is_enabled AS isEnabled, created_ms AS createdMs,
  created_by AS createdBy`;
const mostWebhooks = 100;

export interface WebhookParts {
  now: () => number;
  /** Where webhooks may lead. */
  networks: Networks;
  /** With which secrets are sealed. */
  key: Uint8Array;
  /** Called when one was turned off: what waits for it is not sent. */
  onDisabled: (id: string) => void;
}

export class Webhooks {
  constructor(
    private readonly db: Database,
    private readonly parts: WebhookParts,
  ) {}

  list(): WebhookRecord[] {
    return this.db.query<Row, []>(`SELECT ${columns} FROM webhooks ORDER BY name`).all().map(recordOf);
  }

  find(id: string): WebhookRecord | undefined {
    const row = this.db.query<Row, [string]>(`SELECT ${columns} FROM webhooks WHERE id = ?`).get(id);
    return row ? recordOf(row) : undefined;
  }

  /** @throws AppError not_found */
  get(id: string): WebhookRecord {
    const webhook = this.find(id);
    if (webhook) return webhook;
    throw new AppError('not_found', 'There is no such webhook.', 'List the webhooks to see what there is.');
  }

  /** Those that an event is for. */
  listFor(event: { kind: string; data: Record<string, unknown> }): WebhookRecord[] {
    return this.parts.networks.isEmpty ? [] : this.list().filter((webhook) => takesEvent(webhook, event));
  }

  /**
   * @returns with the secret, which is in this answer only
   * @throws AppError invalid; forbidden for an address that no network allows; conflict when the name is taken, or while
   *   no network is named at all
   */
  create(wanted: WebhookSettings, by: string): { webhook: WebhookRecord; secret: string } {
    const settings = checkWebhook(wanted);
    this.#requireReachable(settings.url);
    const id = crypto.randomUUID();
    const secret = makeWebhookSecret();
    return this.db.transaction(() => {
      this.#requireFree(settings.name);
      if (this.list().length >= mostWebhooks)
        throw new AppError('conflict', `There are ${mostWebhooks} webhooks already.`);
      const { name, url, kinds, environment, endpoint, isEnabled } = settings;
      const sealed = sealText(this.parts.key, secret);
      this.db.run(
        `INSERT INTO webhooks (id, name, url, kinds, environment, endpoint, secret, is_enabled, created_ms, created_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [id, name, url, JSON.stringify(kinds), environment, endpoint, sealed, Number(isEnabled), this.parts.now(), by],
      );
      return { webhook: this.get(id), secret };
    })();
  }

  /** @throws AppError as `create`, not_found */
  change(id: string, changes: Partial<WebhookSettings>): WebhookRecord {
    return this.db.transaction(() => {
      const before = this.get(id);
      const settings = checkWebhook({ ...before, ...changes });
      // One that is only turned off, or renamed, need not be within reach.
      if (settings.url !== before.url) this.#requireReachable(settings.url);
      this.#requireFree(settings.name, id);
      const { name, url, kinds, environment, endpoint, isEnabled } = settings;
      this.db.run(
        'UPDATE webhooks SET name = ?, url = ?, kinds = ?, environment = ?, endpoint = ?, is_enabled = ? WHERE id = ?',
        [name, url, JSON.stringify(kinds), environment, endpoint, Number(isEnabled), id],
      );
      if (before.isEnabled && !isEnabled) this.parts.onDisabled(id);
      return this.get(id);
    })();
  }

  /** With all that was and would be sent to it. @throws AppError not_found */
  remove(id: string): void {
    this.get(id);
    this.db.run('DELETE FROM webhooks WHERE id = ?', [id]);
  }

  /** The old one ends at once. @returns the new one, which is in this answer only. @throws AppError not_found */
  renewSecret(id: string): { webhook: WebhookRecord; secret: string } {
    const webhook = this.get(id);
    const secret = makeWebhookSecret();
    this.db.run('UPDATE webhooks SET secret = ? WHERE id = ?', [sealText(this.parts.key, secret), id]);
    return { webhook, secret };
  }

  /** @throws AppError not_found, conflict when it was sealed with another key */
  openSecret(id: string): string {
    const row = this.db.query<{ secret: string }, [string]>('SELECT secret FROM webhooks WHERE id = ?').get(id);
    const secret = row ? openText(this.parts.key, row.secret) : this.get(id).id;
    if (secret !== undefined) return secret;
    throw new AppError(
      'conflict',
      'The secret of this webhook was sealed with another key file.',
      'Restore the key file from the backup, or give the webhook a new secret.',
    );
  }

  #requireReachable(url: string): void {
    const host = hostOf(parseTargetUrl(url));
    // What a name stands for is looked at each time something is sent.
    requireAllowed(webhookReach(this.parts.networks), host, isIP(host) ? [host] : []);
  }

  #requireFree(name: string, except?: string): void {
    const row = this.db.query<{ id: string }, [string]>('SELECT id FROM webhooks WHERE name = ?').get(name);
    if (!row || row.id === except) return;
    throw new AppError('conflict', `There is a webhook '${name}' already.`, 'Choose another name.');
  }
}

function recordOf({ kinds, isEnabled, ...row }: Row): WebhookRecord {
  return { ...row, kinds: JSON.parse(kinds) as EventKind[] | '*', isEnabled: isEnabled === 1 };
}
