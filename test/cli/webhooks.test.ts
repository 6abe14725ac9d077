// Commands about webhooks against the real routes, asked as the server's own terminal.
import { expect, test } from 'bun:test';

import type { Terminal } from '../../src/cli/report.ts';
import { system } from '../http/api/access-api.ts';
import { openNotifyApi } from '../http/api/notify-api.ts';
import { eventOf, openReceiver, until } from '../notify/opened.ts';
import { aimass } from './command-line.ts';

async function openLine(networkList?: string[]) {
  const box = await openNotifyApi(networkList);
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: (request) => box.api.fetch(request, system) });
  return {
    ...box,
    run: (words: string[], terminal: Partial<Terminal> = {}) =>
      aimass(['webhooks', '--server', server.url.origin, ...words], { terminal: { width: 300, ...terminal } }),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await box[Symbol.asyncDispose]();
    },
  };
}

test('add prints the secret; list, test, disable, enable, renew, rm', async () => {
  let isUp = true;
  await using receiver = openReceiver(() => new Response(isUp ? 'thanks' : 'no', { status: isUp ? 200 : 503 }));
  await using line = await openLine();
  expect((await line.run([])).out).toContain('There are no webhooks.');
  const filters = ['--events', 'release.live,release.failed', '--environment', 'production'];
  const added = await line.run(['add', 'tickets', '--url', receiver.url, ...filters]);
  expect(added.out).toMatch(/^The webhook 'tickets' is made. Its secret is shown this once:\nwhsec_[\w+/]{43}=\n$/);
  expect(await line.run(['test', 'tickets'])).toMatchObject({ code: 0, out: 'tickets took the test: 200 thanks\n' });
  expect((await line.run([])).out).toMatch(
    /^tickets +on +release\.live, release\.failed +production +delivered .* +http:\/\/127/m,
  );
  isUp = false;
  const failed = await line.run(['test', 'tickets']);
  expect(failed).toMatchObject({ code: 1, out: 'The test did not arrive at tickets: 503 no\n' });
  expect((await line.run(['disable', 'tickets'])).out).toBe("The webhook 'tickets' is off.\n");
  expect(line.notifier.webhooks.list()).toMatchObject([
    { isEnabled: false, kinds: ['release.live', 'release.failed'] },
  ]);
  expect((await line.run(['enable', 'tickets'])).out).toBe("The webhook 'tickets' is on.\n");
  const renewed = await line.run(['renew', 'tickets', '--json']);
  expect((JSON.parse(renewed.out) as { secret: string }).secret).toStartWith('whsec_');
  expect((await line.run(['rm', 'tickets'], { readLine: async () => 'n' })).code).toBe(1);
  expect((await line.run(['rm', 'tickets', '--yes'])).out).toBe("The webhook 'tickets' is removed.\n");
  expect(await line.run(['test', 'tickets'])).toMatchObject({ code: 1, err: expect.stringContaining('no webhook') });
});

test('log shows what was sent, retry sends it again', async () => {
  await using receiver = openReceiver((_, count) => new Response('', { status: count === 1 ? 410 : 200 }));
  await using line = await openLine();
  await line.run(['add', 'tickets', '--url', receiver.url]);
  line.notifier.post(eventOf());
  while (line.notifier.statistics().pending.webhook > 0) await line.roomClock.pass(0);
  const { out } = await line.run(['log']);
  expect(out).toMatch(/release\.submitted +tickets +not delivered +1 +msg_\w{32} +410$/m);
  const id = /msg_\w+/.exec(out)![0];
  expect((await line.run(['retry', id])).out).toBe('It is sent to tickets again.\n');
  await line.roomClock.pass(0);
  await until(() => line.notifier.statistics().pending.webhook === 0);
  expect((await line.run(['log', '--limit', '1'])).out).toMatch(/tickets +delivered +2 /);
  expect(await line.run(['retry', id])).toMatchObject({ code: 1, err: expect.stringContaining('delivered already') });
});

test.each([
  [['add', 'x'], '--url is missing'],
  [['add', '--url', 'http://h/'], "'add' needs NAME"],
  [['tst', 'x'], "did you mean 'test'"],
  [['list', '--url', 'http://h/'], "'list' does not take --url"],
  [['log', '--limit', '0'], '--limit: '],
])('wrong usage: aimass webhooks %p', async (argv, message) => {
  await using line = await openLine();
  const { code, out, err } = await line.run(argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
});

test('while they are off it says what to do', async () => {
  await using line = await openLine([]);
  const refused = await line.run(['add', 'x', '--url', 'http://127.0.0.1/']);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('notify_to') });
});
