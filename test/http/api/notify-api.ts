// The API of notifications: the real rooms on one database in memory, the real gate and routes, and an administrator who
// is signed in.
import { openTemporary } from '../../access/opened.ts';
import { openRoom } from '../../notify/opened.ts';
import { serveAccess } from './access-api.ts';

/** @param networkList where webhooks may lead; this machine if not given */
export async function openNotifyApi(networkList?: string[]) {
  const opened = await openTemporary();
  const room = openRoom({ db: opened.db, users: opened.users, networkList });
  const { notifier, clock } = room;
  const box = serveAccess(opened, { notifier });
  return {
    ...box,
    notifier,
    roomClock: clock,
    admin: opened.admin,
    browser: box.signedIn(opened.admin),
    async [Symbol.asyncDispose]() {
      await room[Symbol.asyncDispose]();
      box[Symbol.dispose]();
    },
  };
}
