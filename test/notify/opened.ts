// The whole room on a database in memory, with a clock that stands still until it is moved, and a receiver of webhooks.
import type { Database } from 'bun:sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseNetworks } from '../../src/access/networks.ts';
import { Users } from '../../src/access/users.ts';
import { openDatabase } from '../../src/db/open.ts';
import { setLogLevel } from '../../src/log.ts';
import type { Clock } from '../../src/notify/clock.ts';
import type { NotifyEvent } from '../../src/notify/event.ts';
import { type NotifierParts, openNotifier } from '../../src/notify/notifier.ts';

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

export interface ManualClock extends Clock {
  /** Moves on to the next call that waits, or by this time if none comes before. */
  pass(ms: number): Promise<void>;
}

/** Lets everything run that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function manualClock(startMs = Date.UTC(2026, 4, 17, 9, 30)): ManualClock {
  let nowMs = startMs;
  let waiting: { atMs: number; call: () => void }[] = [];
  return {
    now: () => nowMs,
    after(ms, call) {
      const one = { atMs: nowMs + Math.max(0, ms), call };
      waiting.push(one);
      return () => void (waiting = waiting.filter((each) => each !== one));
    },
    async pass(ms) {
      const endMs = nowMs + ms;
      await settled();
      while (true) {
        const next = waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
        if (!next || next.atMs > endMs) break;
        waiting = waiting.filter((each) => each !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.call();
        await settled();
      }
      nowMs = endMs;
    },
  };
}

export const loopback = '127.0.0.0/8';

export function openRoom(given: Partial<NotifierParts> & { db?: Database; networkList?: string[] } = {}) {
  setLogLevel('error');
  const folder = mkdtempSync(join(tmpdir(), 'aimass-notify-'));
  const clock = (given.clock ?? manualClock()) as ManualClock;
  const db = given.db ?? openDatabase(':memory:');
  const users = new Users(db, () => clock.now());
  const notifier = openNotifier({
    db,
    users,
    clock,
    keyPath: join(folder, 'secrets.key'),
    networks: parseNetworks(given.networkList ?? [loopback]),
    smtpUrl: '',
    mailFrom: '',
    baseUrl: () => 'https://gpu-box.corp:8700',
    version: '0.0.0',
    random: () => 0.5,
    ...given,
  });
  return {
    db,
    users,
    clock,
    folder,
    notifier,
    addUser: (name: string, email?: string) => users.insert({ name, role: 'owner', email }, 'test'),
    async [Symbol.asyncDispose]() {
      await notifier.close();
      db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function eventOf(given: Partial<NotifyEvent> = {}): NotifyEvent {
  return {
    kind: 'release.submitted',
    title: { en: 'digits:3 is to go live', zh: 'digits:3 申请上线' },
    text: { en: 'Ada asks for it.', zh: 'Ada 提交了申请。' },
    path: '/admin/releases/12',
    data: { release: 12, environment: 'production', endpoint: 'digits' },
    recipients: [],
    ...given,
  };
}

export interface Received {
  headers: Headers;
  body: string;
  url: string;
}

/** @param answer as the receiver answers; 200 if not given */
export function openReceiver(
  answer: (request: Request, count: number) => Response | Promise<Response> = () => new Response('ok'),
  hostname = '127.0.0.1',
) {
  const received: Received[] = [];
  const server = Bun.serve({
    port: 0,
    hostname,
    async fetch(request) {
      received.push({ headers: request.headers, body: await request.text(), url: request.url });
      return await answer(request, received.length);
    },
  });
  return {
    received,
    port: server.port!,
    url: `http://${hostname}:${server.port}/hook`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Real connections take their time, whatever the clock of the room says. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export const webhookSettings = {
  name: 'ticket system',
  kinds: '*' as const,
  environment: null,
  endpoint: null,
  isEnabled: true,
};
