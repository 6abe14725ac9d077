// Posts an event to a webhook that hangs, says so, and waits to be killed: started by kill.test.ts.
import { parseNetworks } from '../../src/access/networks.ts';
import { Users } from '../../src/access/users.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openNotifier } from '../../src/notify/notifier.ts';
import { eventOf, loopback } from './opened.ts';

const [path, keyPath] = process.argv.slice(2) as [string, string];
const db = openDatabase(path);
const notifier = openNotifier({
  db,
  users: new Users(db, Date.now),
  keyPath,
  networks: parseNetworks([loopback]),
  smtpUrl: '',
  mailFrom: '',
  baseUrl: () => '',
  version: '0',
});
notifier.post(eventOf());
setInterval(() => {}, 1000);
