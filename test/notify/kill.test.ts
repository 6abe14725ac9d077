// A process that is killed in the middle of a delivery: the next one delivers it, under the same id.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

import { openDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/notify/clock.ts';
import { openReceiver, openRoom, until, webhookSettings } from './opened.ts';

test('kill -9 loses nothing', async () => {
  let isHanging = true;
  await using receiver = openReceiver(() => (isHanging ? new Promise(() => {}) : new Response('ok')));
  await using room = openRoom({ clock: { now: () => Date.now(), after: () => () => {} } });
  const path = join(room.folder, 'killed.db');
  const keyPath = join(room.folder, 'secrets.key');
  await using before = openRoom({ db: openDatabase(path), keyPath });
  before.notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'kill-child.ts'), path, keyPath], {
    stderr: 'inherit',
  });
  await until(() => receiver.received.length === 1);
  child.kill('SIGKILL');
  await child.exited;
  isHanging = false;
  await using after = openRoom({ db: openDatabase(path), keyPath, clock: systemClock });
  await until(() => after.notifier.deliveries()[0]!.state === 'delivered');
  const ids = receiver.received.map(({ headers }) => headers.get('webhook-id'));
  expect(ids).toEqual([ids[0]!, ids[0]!]);
});
