// What may be told to people and programs: the kinds of events, and what an event says. Pure.

/** What other rooms post; each room adds its own. */
export const eventKinds = [
  'release.submitted',
  'release.changes-asked',
  'release.approved',
  'release.rejected',
  'release.live',
  'release.rolled-back',
  'release.failed',
  'release.commented',
] as const;

export type EventKind = (typeof eventKinds)[number];

/** Sent by a person who wants to know whether a webhook works. */
export const testKind = 'notification.test';

/** In English and Simplified Chinese. */
export interface Words {
  en: string;
  zh: string;
}

export interface NotifyEvent {
  kind: EventKind;
  /** One line. */
  title: Words;
  text: Words;
  /** Of the page about it: "/admin/releases/12". */
  path: string;
  /**
   * For programs: release, endpoint, model, version, environment, actor, reason … Plain JSON without secrets: whoever
   * runs a webhook reads it. `environment` and `endpoint` are what webhooks can be limited to.
   */
  data: Record<string, unknown>;
  /** Ids of users who get it in their inbox, and by mail if they wish; who is not there or disabled is left out. */
  recipients: readonly string[];
}

export function isEventKind(text: string): text is EventKind {
  return (eventKinds as readonly string[]).includes(text);
}
