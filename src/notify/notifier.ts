// What other rooms know of notifications. The parts behind it are in the files beside it.
import type { NotifyEvent } from './event.ts';

/** An event as somebody finds it in the inbox. */
export interface InboxEntry extends Omit<NotifyEvent, 'data' | 'recipients'> {
  /** Rises with time. */
  id: number;
  atMs: number;
  isRead: boolean;
}

export interface Notifier {
  /**
   * Written down at once, in the surrounding transaction if there is one, and delivered later, at least once: to the
   * inboxes of its recipients, by mail to those who wish it, and to the webhooks that take its kind.
   */
  post(event: NotifyEvent): void;
  /**
   * Newest first.
   * @param page.before id of the last entry of the page before
   * @param page.limit 1 to 200; 50 if absent
   */
  inbox(user: string, page?: { before?: number; limit?: number }): InboxEntry[];
  unreadCount(user: string): number;
  /** What is not in this user's inbox is left alone. */
  markRead(user: string, ids: readonly number[] | 'all'): void;
  /** What is on its way stays in line and is delivered after the next start. */
  close(): Promise<void>;
}
