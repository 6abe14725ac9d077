// Where a webhook may lead: what its address may be, and that the connection goes to the very address that was looked at.
import { describe, expect, test } from 'bun:test';

import { generate } from 'selfsigned';

import { parseNetworks } from '../../src/access/networks.ts';
import { AppError } from '../../src/error.ts';
import { findTarget } from '../../src/net/target.ts';
import { parseTargetUrl, webhookReach } from '../../src/notify/target.ts';
import { openReceiver, openRoom, webhookSettings } from './opened.ts';

const outcomeOf = async (work: Promise<string>) =>
  work.catch((error: unknown) => (error instanceof AppError ? error.code : String(error)));

describe('an address', () => {
  test.each([
    ['https://hooks.corp/a?b=c#d', 'https://hooks.corp/a?b=c'],
    ['http://10.1.2.3:8080/x', 'http://10.1.2.3:8080/x'],
    [' http://[fd00::1]/ ', 'http://[fd00::1]/'],
    ['http://0x7f.1/', 'http://127.0.0.1/'],
    ['http://例子.corp/', 'http://xn--fsqu00a.corp/'],
  ])('%p is taken', (text, wanted) => {
    expect(parseTargetUrl(text).href).toBe(wanted);
  });

  test.each([
    '',
    'hooks.corp/a',
    'ftp://hooks.corp/',
    'file:///etc/passwd',
    'unix:/run/docker.sock',
    'javascript:alert(1)',
    'http://hooks.corp:0/',
    'http://hooks.corp:65536/',
    'http://hooks.corp:-1/',
    'http://',
    'http://name:secret@hooks.corp/',
    'http://name@hooks.corp/',
    `http://hooks.corp/${'x'.repeat(2000)}`,
  ])('%p is not', (text) => {
    expect(() => parseTargetUrl(text)).toThrow(AppError);
  });
});

describe('only within the networks', () => {
  const reach = webhookReach(parseNetworks(['10.1.0.0/16', 'fd00:1::/32']));
  const names: Record<string, string[]> = {
    'in.corp': ['10.1.2.3'],
    'six.corp': ['fd00:1::5'],
    'out.corp': ['10.2.0.1'],
    'mixed.corp': ['10.1.2.3', '127.0.0.1'],
    'mixed6.corp': ['10.1.2.3', '::1'],
    'mapped.corp': ['::ffff:127.0.0.1'],
    'mapped-in.corp': ['::ffff:10.1.2.3'],
    'none.corp': [],
  };
  const resolve = async (host: string) => {
    if (!(host in names)) throw Object.assign(new Error(host), { code: 'ENOTFOUND' });
    return names[host]!;
  };

  test.each([
    ['http://in.corp/', '10.1.2.3'],
    ['http://six.corp/', 'fd00:1::5'],
    ['http://mapped-in.corp/', '::ffff:10.1.2.3'],
    ['http://10.1.255.255/', '10.1.255.255'],
    ['http://[::ffff:10.1.0.1]/', '::ffff:a01:1'],
    ['http://out.corp/', 'forbidden'],
    ['http://mixed.corp/', 'forbidden'],
    ['http://mixed6.corp/', 'forbidden'],
    ['http://mapped.corp/', 'forbidden'],
    ['http://127.0.0.1/', 'forbidden'],
    ['http://2130706433/', 'forbidden'],
    ['http://0/', 'forbidden'],
    ['http://[::1]/', 'forbidden'],
    ['http://[::ffff:127.0.0.1]/', 'forbidden'],
    ['http://169.254.169.254/latest/meta-data', 'forbidden'],
    ['http://localhost/', 'unavailable'],
    ['http://none.corp/', 'unavailable'],
  ])('%p leads to %p', async (url, wanted) => {
    expect(await outcomeOf(findTarget(parseTargetUrl(url), reach, resolve))).toBe(wanted);
  });

  test('without networks nothing is even looked up', async () => {
    let asked = 0;
    const count = async () => [`127.0.0.${++asked}`];
    expect(await outcomeOf(findTarget(new URL('http://in.corp/'), webhookReach(parseNetworks([])), count))).toBe(
      'conflict',
    );
    expect(asked).toBe(0);
  });
});

describe('a name that means another machine a moment later', () => {
  test('leads to the one that was looked at, and is looked up once', async () => {
    await using allowed = openReceiver();
    // The same port on the other address.
    const inner: string[] = [];
    const other = Bun.serve({
      port: allowed.port,
      hostname: '127.0.0.2',
      fetch: ({ url }) => new Response(`${inner.push(url)}`),
    });
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.2']];
    let asked = 0;
    await using room = openRoom({ networkList: ['127.0.0.1'], resolve: async () => answers[asked++]! });
    const url = `http://rebind.test:${allowed.port}/hook`;
    const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url }, 'Ada');
    expect(await room.notifier.testWebhook(webhook.id)).toMatchObject({ isDelivered: true });
    expect([asked, inner.length]).toEqual([1, 0]);
    expect(allowed.received[0]!.headers.get('host')).toBe(`rebind.test:${allowed.port}`);
    // And the next time it is looked at again.
    const refused = await room.notifier.testWebhook(webhook.id);
    expect(refused).toMatchObject({ isDelivered: false, answer: expect.stringContaining('rebind.test (127.0.0.2)') });
    expect([asked, inner.length, allowed.received.length]).toEqual([2, 0, 1]);
    await other.stop(true);
  });

  test("is checked against the certificate by its name, not by the address's", async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'hook.corp' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'hook.corp' }] }],
    });
    const hosts: (string | null)[] = [];
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      tls: { key, cert },
      fetch: ({ headers }) => new Response(`${hosts.push(headers.get('host'))}`),
    });
    const ask = async (host: string, ca?: string) => {
      await using room = openRoom({ resolve: async () => ['127.0.0.1'], ca });
      const url = `https://${host}:${server.port}/`;
      const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url }, 'Ada');
      return (await room.notifier.testWebhook(webhook.id)).answer;
    };
    expect(await ask('hook.corp', cert)).toBe('1');
    expect(hosts).toEqual([`hook.corp:${server.port}`]);
    expect(await ask('other.corp', cert)).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await ask('127.0.0.1', cert)).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await ask('hook.corp')).toContain('SELF_SIGNED_CERT');
    expect(hosts).toHaveLength(1);
    await server.stop(true);
  });
});

test('a proxy of the environment is not asked', async () => {
  await using receiver = openReceiver();
  const proxied: string[] = [];
  const proxy = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: ({ url }) => new Response(`${proxied.push(url)}`) });
  const script = `
    import { postPinned } from ${JSON.stringify(Bun.resolveSync('../../src/notify/pinned-post.ts', import.meta.dir))};
    const answer = await postPinned({ url: new URL('http://hook.corp:${receiver.port}/'), address: '127.0.0.1',
      headers: {}, body: '{}', signal: AbortSignal.timeout(5000) });
    console.log(answer.status);`;
  const env = { ...Bun.env, HTTP_PROXY: proxy.url.href, http_proxy: proxy.url.href, NO_PROXY: '', no_proxy: '' };
  const child = Bun.spawn([process.execPath, '-e', script], { env, stdout: 'pipe', stderr: 'inherit' });
  expect(await child.stdout.text()).toBe('200\n');
  expect([receiver.received.length, proxied.length]).toEqual([1, 0]);
  await proxy.stop(true);
});
