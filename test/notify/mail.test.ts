// Mail, as a real mail server receives it.
import { describe, expect, test } from 'bun:test';

import { generate } from 'selfsigned';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

import { openMailServer, parseMailServer } from '../../src/notify/mail-server.ts';
import { day, eventOf, openRoom, until } from './opened.ts';

const from = 'AI Mass <aimass@corp.example>';

interface Received {
  to: string[];
  from: string;
  user: unknown;
  isSecure: boolean;
  headers: Map<string, string>;
  text: string;
}

/** A mail server on a port of its own; no login is needed unless the options say so. */
async function openServer(options: SMTPServerOptions = {}) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const [head = '', body = ''] = Buffer.concat(parts)
          .toString()
          .split(/\r\n\r\n([^]*)/);
        const headers = new Map(
          head
            .replaceAll(/\r\n[ \t]+/g, ' ')
            .split('\r\n')
            .map((line) => [line.split(': ')[0]!.toLowerCase(), line.replace(/^[^:]*: /, '')]),
        );
        const { envelope, user, secure } = session;
        received.push({
          to: envelope.rcptTo.map(({ address }) => address),
          from: envelope.mailFrom ? envelope.mailFrom.address : '',
          user,
          isSecure: secure,
          headers,
          text: decode(body, headers.get('content-transfer-encoding')),
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  const { port } = await new Promise<{ port: number }>((resolve) => {
    const listener = server.listen(0, '127.0.0.1', () => resolve(listener.address() as { port: number }));
  });
  return {
    received,
    port,
    url: `smtp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function decode(body: string, encoding = '7bit'): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString().replaceAll('\r\n', '\n');
  if (encoding !== 'quoted-printable') return body.replaceAll('\r\n', '\n');
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n');
}

/** RFC 2047, as far as it is used here. */
const decodeHeader = (text: string) =>
  text
    .replaceAll(/=\?UTF-8\?B\?([^?]*)\?=\s*/gi, (_, part: string) => Buffer.from(part, 'base64').toString())
    .replaceAll(/=\?UTF-8\?Q\?([^?]*)\?=\s*/gi, (_, part: string) =>
      decode(part.replaceAll('_', ' '), 'quoted-printable'),
    );

test('who wants mail and has an address gets it, in their language, with a link', async () => {
  await using server = await openServer();
  await using room = openRoom({ smtpUrl: server.url, mailFrom: from });
  const { notifier, users, clock } = room;
  const ada = room.addUser('Ada', 'ada@corp.example');
  const li = room.addUser('Li', 'li.wei@corp.example');
  users.setPreferences(li.id, { language: 'zh-CN' });
  const without = room.addUser('Bob');
  const quiet = room.addUser('Eve', 'eve@corp.example');
  users.setPreferences(quiet.id, { mailMe: false });
  notifier.post(eventOf({ recipients: [ada, li, without, quiet].map(({ id }) => id) }));
  await clock.pass(0);
  await until(() => server.received.length === 2 && notifier.statistics().pending.mail === 0);
  const [first, second] = server.received.toSorted((a, b) => (a.to[0]! < b.to[0]! ? -1 : 1)) as [Received, Received];
  expect(first).toMatchObject({ to: ['ada@corp.example'], from: 'aimass@corp.example', isSecure: false });
  expect(first.headers.get('subject')).toBe('[AI Mass] digits:3 is to go live');
  expect(first.headers.get('from')).toBe(from);
  expect(first.headers.get('auto-submitted')).toBe('auto-generated');
  expect(first.headers.get('content-language')).toBe('en');
  expect(first.headers.get('content-type')).toStartWith('text/plain');
  expect(first.headers.get('x-mailer')).toBeUndefined();
  const delivery = notifier.deliveries().find(({ user }) => user === ada.id)!;
  expect(first.headers.get('message-id')).toBe(`<${delivery.id}@gpu-box.corp>`);
  expect(delivery).toMatchObject({ state: 'delivered', status: 250, receiverName: 'Ada' });
  expect(first.text).toContain('Ada asks for it.\n\nhttps://gpu-box.corp:8700/admin/releases/12\n\n-- \n');
  expect(decodeHeader(second.headers.get('subject')!)).toBe('[AI Mass] digits:3 申请上线');
  expect(second.text).toContain('Ada 提交了申请。\n\nhttps://gpu-box.corp:8700/admin/releases/12\n');
  expect(server.received).toHaveLength(2);
});

test('what looks like headers in a title stays a title', async () => {
  await using server = await openServer();
  await using room = openRoom({ smtpUrl: server.url, mailFrom: from });
  const { id } = room.addUser('Ada', 'ada@corp.example');
  const title = 'Hello\r\nBcc: eve@corp.example\r\n\r\nbody\u2028';
  room.notifier.post(
    eventOf({ recipients: [id], title: { en: title, zh: title }, text: { en: '.\r\nQUIT\r\n.', zh: '' } }),
  );
  await room.clock.pass(0);
  await until(() => server.received.length === 1);
  expect(server.received[0]).toMatchObject({ to: ['ada@corp.example'] });
  expect(server.received[0]!.headers.get('bcc')).toBeUndefined();
  expect(server.received[0]!.headers.get('subject')).toBe('[AI Mass] Hello Bcc: eve@corp.example body');
  expect(server.received[0]!.text).toStartWith('.\nQUIT\n.\n');
});

test('a server that is busy is asked again; one that knows no such address is not', async () => {
  let refusals = 0;
  await using server = await openServer({
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('gone@')) return done(Object.assign(new Error('no such user'), { responseCode: 550 }));
      if (refusals++ < 2) return done(Object.assign(new Error('later'), { responseCode: 451 }));
      return done();
    },
  });
  await using room = openRoom({ smtpUrl: server.url, mailFrom: from });
  const { notifier, clock } = room;
  const [ada, bob] = [room.addUser('Ada', 'ada@corp.example'), room.addUser('Bob', 'gone@corp.example')];
  notifier.post(eventOf({ recipients: [ada.id, bob.id] }));
  await clock.pass(0);
  await until(() => notifier.deliveries().every(({ attempts }) => attempts === 1));
  const find = (id: string) => notifier.deliveries().find(({ user }) => user === id);
  expect(find(bob.id)).toMatchObject({ state: 'failed', status: 550, answer: expect.stringContaining('no such user') });
  expect(find(ada.id)).toMatchObject({ state: 'pending', status: 451 });
  for (const attempts of [2, 3]) {
    await clock.pass(find(ada.id)!.dueMs - clock.now());
    await until(() => find(ada.id)!.attempts === attempts);
  }
  expect(find(ada.id)).toMatchObject({ state: 'delivered' });
  await clock.pass(2 * day);
  expect(server.received).toHaveLength(1);
});

test('whoever gave up the address meanwhile gets nothing', async () => {
  await using server = await openServer();
  await using room = openRoom({ smtpUrl: server.url, mailFrom: from });
  const { id } = room.addUser('Ada', 'ada@corp.example');
  room.notifier.post(eventOf({ recipients: [id] }));
  room.users.setEmail(id, '', { by: 'Ada' });
  await room.clock.pass(0);
  await until(() => room.notifier.deliveries()[0]!.state === 'failed');
  expect(server.received).toEqual([]);
});

test('without a mail server nothing is put in line, and a test says so', async () => {
  await using room = openRoom();
  const { id } = room.addUser('Ada', 'ada@corp.example');
  room.notifier.post(eventOf({ recipients: [id] }));
  expect([room.notifier.deliveries(), room.notifier.unreadCount(id)]).toEqual([[], 1]);
  expect(room.notifier.testMail(id)).rejects.toThrow('No mail server is set.');
  expect(() => openRoom({ smtpUrl: 'smtp://mail.corp' })).toThrow('mail_from is not');
});

describe('the login', () => {
  const mail = { messageId: 'a@b', to: 'ada@corp.example', subject: 's', text: 't', language: 'en' };
  const login: SMTPServerOptions = {
    authOptional: false,
    onAuth({ username, password }, _session, done) {
      if (username === 'na@me' && password === 'p:w/d') done(null, { user: username });
      else done(Object.assign(new Error('wrong'), { responseCode: 535 }));
    },
  };

  test('is not told to a server without TLS, unless that was said', async () => {
    await using server = await openServer({ ...login, allowInsecureAuth: true });
    const url = `smtp://na%40me:p%3Aw%2Fd@127.0.0.1:${server.port}`;
    expect(await openMailServer(parseMailServer(url), from)(mail)).toMatchObject({ isAccepted: false });
    expect(server.received).toEqual([]);
    expect(await openMailServer(parseMailServer(`${url}?tls=off`), from)(mail)).toMatchObject({ isAccepted: true });
    expect(server.received[0]).toMatchObject({ user: 'na@me', isSecure: false });
    const wrong = parseMailServer(`smtp://na%40me:x@127.0.0.1:${server.port}?tls=off`);
    const refused = await openMailServer(wrong, from)(mail);
    expect(refused).toMatchObject({ isAccepted: false, status: 535, isFinal: false });
    expect(JSON.stringify(refused)).not.toContain('p:w');
  });

  test('and not to one whose certificate nobody knows', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'mail.corp' }]);
    await using server = await openServer({ ...login, secure: true, key, cert });
    const url = `smtps://na%40me:p%3Aw%2Fd@127.0.0.1:${server.port}`;
    expect(await openMailServer(parseMailServer(url), from)(mail)).toMatchObject({
      isAccepted: false,
      text: expect.stringContaining('certificate'),
    });
    expect(server.received).toEqual([]);
  });

  test.each([
    ['smtp', { disabledCommands: [] }],
    ['smtps', { secure: true }],
  ])('but by %s to one whose certificate is known', async (scheme, options) => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    await using server = await openServer({ ...login, ...options, key, cert });
    const url = `${scheme}://na%40me:p%3Aw%2Fd@localhost:${server.port}`;
    expect(await openMailServer(parseMailServer(url), from, cert)(mail)).toMatchObject({ isAccepted: true });
    expect(server.received[0]).toMatchObject({ user: 'na@me', isSecure: true });
    const other = `${scheme}://na%40me:p%3Aw%2Fd@127.0.0.1:${server.port}`;
    expect(await openMailServer(parseMailServer(other), from, cert)(mail)).toMatchObject({ isAccepted: false });
    expect(server.received).toHaveLength(1);
  });
});

describe('the address of a mail server', () => {
  test.each([
    ['smtp://mail.corp', { host: 'mail.corp', port: 25, tls: 'offered' }],
    ['smtp://mail.corp:2525/?tls=off', { host: 'mail.corp', port: 2525, tls: 'off' }],
    ['smtp://mail.corp?tls=required', { host: 'mail.corp', port: 587, tls: 'required' }],
    ['smtp://u:p@mail.corp', { host: 'mail.corp', port: 587, tls: 'required', login: { user: 'u', password: 'p' } }],
    ['smtps://u:p@[fd00::1]', { host: 'fd00::1', port: 465, tls: 'implicit', login: { user: 'u', password: 'p' } }],
  ])('%p', (text, wanted) => {
    expect(parseMailServer(text)).toEqual(wanted as ReturnType<typeof parseMailServer>);
  });

  test.each([
    'mail.corp',
    'http://mail.corp',
    'smtp://',
    'smtp://u:secret@mail.corp:0',
    'smtp://u:secret@mail.corp/x',
    'smtp://mail.corp?tls=maybe',
    'smtps://mail.corp?tls=off',
    'smtp://mail.corp?pool=1',
  ])('%p is none, and is not repeated', (text) => {
    expect(() => parseMailServer(text)).toThrow('This is no address of a mail server.');
  });
});
