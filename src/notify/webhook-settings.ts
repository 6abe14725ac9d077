// What is set for a webhook, and what it may be. Pure.
import { AppError } from '../error.ts';
import { findNearest } from '../setting-text.ts';
import { type EventKind, eventKinds, isEventKind } from './event.ts';
import { parseTargetUrl } from './target.ts';

export interface WebhookSettings {
  name: string;
  /** http or https. */
  url: string;
  /** '*': all, also those of later releases. */
  kinds: readonly EventKind[] | '*';
  /** Only events about this one; null: about any. */
  environment: string | null;
  endpoint: string | null;
  isEnabled: boolean;
}

export const longestWebhookName = 80;
const longestFilter = 128;

/** @returns the settings as they are kept. @throws AppError invalid */
export function checkWebhook(settings: WebhookSettings): WebhookSettings {
  return {
    ...settings,
    name: checkName(settings.name),
    url: parseTargetUrl(settings.url).href,
    kinds: settings.kinds === '*' ? '*' : checkKinds(settings.kinds),
    environment: checkFilter(settings.environment),
    endpoint: checkFilter(settings.endpoint),
  };
}

export function checkName(text: string): string {
  const name = text.normalize('NFC').trim();
  if (name !== '' && name.length <= longestWebhookName && !/\p{C}/u.test(name)) return name;
  throw new AppError('invalid', `The name of a webhook must have 1 to ${longestWebhookName} characters.`);
}

export function checkKinds(kinds: readonly string[]): readonly EventKind[] {
  for (const kind of kinds) {
    if (isEventKind(kind)) continue;
    const nearest = findNearest(kind, eventKinds);
    const guess = nearest ? `Did you mean '${nearest}'?` : `They are: ${eventKinds.join(', ')}.`;
    throw new AppError('invalid', `There is no kind of event '${kind.slice(0, 80)}'.`, guess);
  }
  const chosen = eventKinds.filter((kind) => kinds.includes(kind));
  if (chosen.length > 0) return chosen;
  throw new AppError('invalid', 'A webhook needs at least one kind of event.', "'*' is all of them.");
}

/** The names of environments and endpoints are other rooms': one that is not there just matches nothing. */
function checkFilter(text: string | null): string | null {
  const name = text?.trim() ?? '';
  if (name.length > longestFilter || /\p{C}/u.test(name)) throw new AppError('invalid', 'This is no name.');
  return name === '' ? null : name;
}

/** Whether an event is for a webhook. */
export function takesEvent(
  { kinds, environment, endpoint, isEnabled }: WebhookSettings,
  { kind, data }: { kind: string; data: Record<string, unknown> },
): boolean {
  if (!isEnabled) return false;
  if (kinds !== '*' && !(kinds as readonly string[]).includes(kind)) return false;
  if (environment !== null && data.environment !== environment) return false;
  return endpoint === null || data.endpoint === endpoint;
}
