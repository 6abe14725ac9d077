// Live values for pages: one stream of server-sent events for each open page, all fed by one look at the appliance a second
// that is taken only while somebody watches. Each message has what changed since the last one, as web/assets/admin.js
// takes it: key → update.
import { mayDo, requireAction } from '../../access/actor.ts';
import { AppError, messageOf } from '../../error.ts';
import { log } from '../../log.ts';
import { isTopic, type LiveValue, type Look, takeLook, type TopicName, topics } from './live-topics.ts';
import type { MachineContext } from './machine-routes.ts';
import { type AdminRoute, userOf, type Visit } from './visit.ts';

const paceMs = 1000;
/** Proxies and browsers take a silent connection for a dead one. */
const heartbeatMs = 15_000;
/** Of one user: nobody takes the place of others. */
const mostPages = 32;
/** Messages that may wait for a browser that reads slowly. */
const mostWaiting = 64;

interface Listener {
  user: string;
  tick(look: Look): void;
  end(): void;
}

export function liveRoutes(context: MachineContext): AdminRoute[] {
  const { control } = context;
  const listeners = new Set<Listener>();
  let timer: Timer | undefined;

  function tick(): void {
    const look = takeLook(context);
    for (const listener of listeners) show(listener, look);
  }

  function show(listener: Listener, look: Look): void {
    try {
      listener.tick(look);
    } catch (error) {
      log('error', 'live values failed', { reason: messageOf(error) });
      listener.end();
    }
  }

  function add(listener: Listener): void {
    listeners.add(listener);
    // Adding the same one again changes nothing.
    control.stopping.addEventListener('abort', endAll);
    timer ??= setInterval(tick, paceMs);
    show(listener, takeLook(context));
  }

  function endAll(): void {
    for (const listener of listeners) listener.end();
  }

  function remove(listener: Listener): void {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return [
    {
      method: 'GET',
      path: '/admin/live',
      action: 'signed-in',
      answer(visit) {
        const wanted = readTopics(visit);
        const { id } = userOf(visit);
        if ([...listeners].filter(({ user }) => user === id).length >= mostPages) {
          throw new AppError('overloaded', 'You have too many pages open.', 'Close some of them.');
        }
        const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
        // Nobody would ever read, or end, the stream of a HEAD.
        if (visit.request.method === 'HEAD' || control.stopping.aborted) return new Response(null, { headers });
        const isAllowed = () => isStillAllowed(context, visit, wanted);
        const body = streamFor({ visit, wanted, isAllowed, add, remove });
        return new Response(body, { headers });
      },
    },
  ];
}

/** @throws AppError invalid, forbidden */
function readTopics({ url, asker }: Visit): TopicName[] {
  const names = (url.searchParams.get('topics') ?? '').split(',');
  if (names.length > Object.keys(topics).length || !names.every(isTopic)) {
    throw new AppError('invalid', 'There is no such topic.', `The topics are: ${Object.keys(topics).join(', ')}.`);
  }
  for (const { action } of names.map((name) => topics[name])) {
    if (action !== undefined) requireAction(asker.actor, action);
  }
  // The bell is on every page.
  return names.includes('inbox') ? names : ['inbox', ...names];
}

/** The session may have ended and the role may have changed since the stream began. */
function isStillAllowed({ access }: MachineContext, visit: Visit, wanted: readonly TopicName[]): boolean {
  const user = userOf(visit);
  // What was shown was chosen for that role: the page connects again, with its new one.
  if (access.users.find(user.id)?.role !== user.role) return false;
  const session = visit.asker.session?.session.id;
  if (!access.sessions.list(user.id).some(({ id }) => id === session)) return false;
  return wanted.every((name) => {
    const { action } = topics[name];
    return action === undefined || mayDo(user, action);
  });
}

interface StreamParts {
  visit: Visit;
  wanted: readonly TopicName[];
  isAllowed(): boolean;
  add(listener: Listener): void;
  remove(listener: Listener): void;
}

function streamFor({ visit, wanted, isAllowed, add, remove }: StreamParts): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const changesOf = createChanges(visit, wanted);
  let sentMs = 0;
  let listener: Listener;
  function start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const send = (text: string, nowMs: number) => {
      controller.enqueue(encoder.encode(text));
      sentMs = nowMs;
    };
    const end = () => {
      remove(listener);
      controller.close();
    };
    function tick(look: Look): void {
      // The browser comes back by itself when it can read again, and may.
      const isStuck = (controller.desiredSize ?? 0) <= 0;
      if (isStuck || !isAllowed()) {
        end();
        return;
      }
      const changed = changesOf(look);
      if (Object.keys(changed).length > 0) send(`data: ${JSON.stringify(changed)}\n\n`, look.nowMs);
      else if (look.nowMs - sentMs >= heartbeatMs) send(':\n\n', look.nowMs);
    }
    listener = { user: userOf(visit).id, tick, end };
    add(listener);
  }
  const queue = new CountQueuingStrategy({ highWaterMark: mostWaiting });
  return new ReadableStream<Uint8Array>({ start, cancel: () => remove(listener) }, queue);
}

/** Their signature stands in the page's own address of the stream. */
const madeWithPage = ['instances', 'endpoint.serving', 'endpoint.charts'];

/** @returns what differs from what it returned before */
function createChanges(visit: Visit, wanted: readonly TopicName[]): (look: Look) => Record<string, LiveValue> {
  const sent = new Map<string, string>();
  // The page was made with these already.
  const seen = visit.url.searchParams.get('seen');
  if (seen !== null) for (const key of madeWithPage) sent.set(key, seen);
  let isFirst = true;
  return (look) => {
    const frame = { ...visit.frame, nowMs: look.nowMs };
    const changed: Record<string, LiveValue> = {};
    for (const name of wanted) {
      for (const [key, value] of Object.entries(topics[name].updates(frame, look, visit))) {
        const later = typeof value === 'object' && 'signature' in value ? value : undefined;
        const signature = later ? later.signature : JSON.stringify(value);
        if (sent.get(key) === signature) continue;
        sent.set(key, signature);
        if (later?.isNews && isFirst) continue;
        changed[key] = later ? later.write() : (value as LiveValue);
      }
    }
    isFirst = false;
    return changed;
  };
}
