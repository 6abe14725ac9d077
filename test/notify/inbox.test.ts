// What each user was told of: their own, newest first, read or not.
import { expect, test } from 'bun:test';

import { eventOf, openRoom } from './opened.ts';

test('recipients get it, once each; others, the disabled and the removed do not', async () => {
  await using room = openRoom();
  const { notifier, users } = room;
  const [ada, bob, eve] = [room.addUser('Ada'), room.addUser('Bob'), room.addUser('Eve')];
  users.disable(eve.id, { by: 'Ada' });
  notifier.post(eventOf({ recipients: [ada.id, ada.id, eve.id, 'nobody'] }));
  expect([ada, bob, eve].map(({ id }) => notifier.unreadCount(id))).toEqual([1, 0, 0]);
  expect(notifier.inbox(ada.id)).toEqual([
    {
      id: 1,
      atMs: room.clock.now(),
      kind: 'release.submitted',
      title: { en: 'digits:3 is to go live', zh: 'digits:3 申请上线' },
      text: { en: 'Ada asks for it.', zh: 'Ada 提交了申请。' },
      path: '/admin/releases/12',
      isRead: false,
    },
  ]);
  expect(notifier.findInInbox(bob.id, 1)).toBeUndefined();
  users.remove(ada.id, { by: 'Bob' });
  expect(notifier.inbox(ada.id)).toEqual([]);
});

test('read one, some, all; nobody reads for others', async () => {
  await using room = openRoom();
  const { notifier } = room;
  const [ada, bob] = [room.addUser('Ada'), room.addUser('Bob')];
  for (let i = 0; i < 5; i++) notifier.post(eventOf({ recipients: [ada.id, bob.id] }));
  notifier.markRead(ada.id, [5, 2, 99]);
  expect([notifier.unreadCount(ada.id), notifier.unreadCount(bob.id)]).toEqual([3, 5]);
  expect(notifier.inbox(ada.id, { limit: 2 }).map(({ id }) => id)).toEqual([5, 4]);
  expect(notifier.inbox(ada.id, { before: 4, limit: 2 }).map(({ id }) => id)).toEqual([3, 2]);
  expect(notifier.inbox(ada.id, { isUnread: true }).map(({ id }) => id)).toEqual([4, 3, 1]);
  const page = (offset: number) => notifier.inboxPage(ada.id, { offset, limit: 3 });
  expect(page(0).entries.map(({ id }) => id)).toEqual([4, 3, 1]);
  expect(page(3)).toMatchObject({
    all: 5,
    entries: [
      { id: 5, isRead: true },
      { id: 2, isRead: true },
    ],
  });
  notifier.markRead(ada.id, 'all');
  expect([notifier.unreadCount(ada.id), notifier.unreadCount(bob.id)]).toEqual([0, 5]);
});
