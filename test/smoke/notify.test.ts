// Notifications from the executable: a webhook and a mail arrive, and of the library that sends mail only what speaks SMTP
// is built in.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';

import { SMTPServer } from 'smtp-server';

import { openReceiver } from '../notify/opened.ts';
import { Appliance, discard, unpack } from './appliance.ts';

let home: string;

beforeAll(async () => {
  home = await unpack();
});
afterAll(() => discard(home));

test('a webhook and a mail arrive', async () => {
  const mails: string[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, _session, done) {
      let text = '';
      stream.on('data', (part: Buffer) => void (text += part.toString()));
      stream.on('end', () => {
        mails.push(text);
        done();
      });
    },
  });
  const port = await new Promise<number>((resolve) => {
    const listener = smtp.listen(0, '127.0.0.1', () => resolve((listener.address() as { port: number }).port));
  });
  await using receiver = openReceiver();
  const appliance = await Appliance.start({
    home,
    env: {
      AIMASS_NOTIFY_TO: '127.0.0.0/8',
      AIMASS_SMTP_URL: `smtp://127.0.0.1:${port}`,
      AIMASS_MAIL_FROM: 'AI Mass <aimass@corp.example>',
    },
  });
  await appliance.command('webhooks', 'add', 'tickets', '--url', receiver.url);
  await appliance.command('webhooks', 'test', 'tickets');
  expect(receiver.received[0]!.headers.get('webhook-signature')).toStartWith('v1,');

  const send = (path: string, method: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(appliance.url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const { url } = await appliance.command<{ url: string }>('setup-link');
  const token = new URL(url).searchParams.get('token');
  const made = await send('/api/v1/setup', 'POST', { token, name: 'Ada', password: 'correct horse battery staple' });
  const { csrfToken } = (await made.json()) as { csrfToken: string };
  const own = { cookie: made.headers.get('set-cookie')!.split(';')[0]!, 'x-csrf-token': csrfToken };
  expect((await send('/api/v1/account', 'PATCH', { email: 'ada@corp.example' }, own)).status).toBe(200);
  const tested = await send('/api/v1/notifications/test-mail', 'POST', undefined, own);
  expect(await tested.json()).toMatchObject({ isDelivered: true, status: 250 });
  expect(mails[0]).toContain('Subject: [AI Mass] A test of notifications');
  const { settings } = await appliance.json<{ settings: { name: string; value: string }[] }>('/api/v1/settings');
  expect(JSON.stringify(settings)).not.toContain(`127.0.0.1:${port}`);
  expect(await appliance.stop()).toBe(0);
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
});

test('what the mail library would ask for a mailbox to try out is not built in', async () => {
  const bytes = Buffer.from(await Bun.file(join(home, 'aimass')).arrayBuffer());
  expect(bytes.includes('api.nodemailer.com')).toBeFalse();
});
