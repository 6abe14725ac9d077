// The pages about the appliance itself: what it runs with, without its secrets, and whose work is in it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';

import { userRoles } from '../../../src/access/roles.ts';
import { html } from '../../../web/html.ts';
import { attacks, expectText } from './markup.ts';
import { openSignedIn, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
let ada: Visitor;
beforeAll(async () => {
  const secret = { key: 'am_secretsecret_of_the_client' };
  box = await openSignedIn({ maxQueueSize: 77, ...secret }, { sources: { maxQueueSize: 'variable', listen: 'flag' } });
  ada = box.administrator;
});
afterAll(async () => await box[Symbol.asyncDispose]());

describe('settings', () => {
  test('with value, default and where each comes from, and never a secret', async () => {
    const { status, text } = await ada.get('/admin/settings');
    expect(status).toBe(200);
    const row = (name: string) => text.split('<tr').find((each) => each.includes(`<code>${name}</code>`))!;
    for (const words of ['77', '1024', 'Environment']) expect(row('max_queue_size')).toContain(words);
    for (const words of ['127.0.0.1:0', '127.0.0.1:8700', 'Command line']) expect(row('listen')).toContain(words);
    expect(row('max_upload_bytes')).toContain('64GiB');
    expect(text).not.toContain('am_secret');
  });

  test('are searched by name and meaning', async () => {
    expect((await ada.get('/admin/settings?q=QUEUE')).text).toContain('max_queue_size');
    expect((await ada.get('/admin/settings?q=QUEUE')).text).not.toContain('max_upload_bytes');
    expect((await ada.get('/admin/settings?q=nothing+such')).text).toContain('No setting matches.');
    for (const attack of attacks) {
      expectText(await ada.get(`/admin/settings?q=${encodeURIComponent(attack)}`), attack);
    }
  });

  test.each([...userRoles])('for %s', async (role) => {
    const { status, text } = await (role === 'administrator' ? ada : box.as(role)).get('/admin/settings');
    expect(status).toBe(role === 'administrator' ? 200 : 403);
    expect(text.includes('max_queue_size')).toBe(role === 'administrator');
  });
});

describe('about', () => {
  test.each([...userRoles])('for %s, where the data lie only for who may know', async (role) => {
    const { status, text } = await (role === 'administrator' ? ada : box.as(role)).get('/admin/about');
    expect(status).toBe(200);
    expect(text).toContain(`Bun ${Bun.version}`);
    expect(text.includes(html`${box.data}`.text)).toBe(role === 'administrator');
  });

  test('not for strangers', async () => {
    expect((await box.stranger().get('/admin/about')).location).toBe('/sign-in?next=%2Fadmin%2Fabout');
    expect((await box.stranger().get('/admin/about/licences/elysia%401.4.30')).status).toBe(303);
  });

  test('names what package.json needs, with its version, its licence and the text of it', async () => {
    const { text } = await ada.get('/admin/about');
    const { dependencies } = (await Bun.file(join(import.meta.dir, '../../../package.json')).json()) as {
      dependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(dependencies)) {
      const path = `/admin/about/licences/${encodeURIComponent(`${name}@${version}`)}`;
      expect(text).toContain(path);
      const licence = await ada.get(path);
      expect([name, licence.status, licence.headers.get('content-type')]).toEqual([
        name,
        200,
        'text/plain; charset=utf-8',
      ]);
      expect(licence.text).toMatch(/copyright|permission/i);
    }
    for (const model of ['face-detection', 'text-orientation']) {
      expect(text).toContain(`(${model})`);
      const path = new RegExp(`licences/(${model}%40[\\d.]+)"`).exec(text)![1]!;
      const licence = await ada.get(`/admin/about/licences/${path}`);
      expect(licence.text).toContain('Apache License');
      expect(licence.text).toContain('From the npm package');
    }
    const runtime = await ada.get(
      `/admin/about/licences/${encodeURIComponent(`onnxruntime-node@${dependencies['onnxruntime-node']}`)}`,
    );
    expect(runtime.text).toContain('ThirdPartyNotices.txt');
    // Nothing is named without its licence.
    expect(text).not.toMatch(/data-label="Licence">[^<\s]/);
    expect((await ada.get('/admin/about/licences/..%2F..%2Fpackage.json')).status).toBe(404);
  });

  test('names the packages that the bundler puts into the executable, and no other', async () => {
    const root = join(import.meta.dir, '../../..');
    const { outputs } = await Bun.build({
      entrypoints: [join(root, 'src/main.ts'), join(root, 'src/task/image-worker.ts')],
      target: 'bun',
      sourcemap: 'external',
    });
    const maps = outputs.filter(({ kind }) => kind === 'sourcemap');
    const sources = (await Promise.all(maps.map((map) => map.json()))).flatMap(
      (map: { sources: string[] }) => map.sources,
    );
    const packages = new Set(
      sources.flatMap((path) => /.*\/?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
    );
    const { text } = await ada.get('/admin/about');
    const named = [...text.matchAll(/licences\/([^"]+)%40[^"%]+"/g)].map(([, name]) => decodeURIComponent(name!));
    // These come as files or are the program that runs it all.
    const templates = ['face-detection', 'face-detection-near', 'text-orientation'];
    const others = ['AI Mass', 'Bun', 'htmx.org', 'onnxruntime-node', 'uplot', ...templates];
    expect(new Set(named)).toEqual(packages.union(new Set(others)));
  });
});

test('what the server says for itself is Chinese on Chinese pages, English on others', async () => {
  const nina = box.as('viewer', 'nina');
  const chinese = { 'accept-language': 'zh-CN' };
  expect((await nina.get('/admin/users', chinese)).text).toContain('您无权查看用户。');
  expect((await nina.get('/admin/users', chinese)).text).toContain('以下角色可以：管理员。');
  const english = await nina.get('/admin/users');
  expect(english.text).toContain('You may not look at users.');
  expect(english.text).toContain('These roles may: administrator.');
  expect((await box.administrator.get('/admin/settings', chinese)).text).toContain('服务监听的地址与端口。');
  expect((await box.administrator.get('/admin/settings?q=端口', chinese)).text).toContain('listen');
  const wrong = await box.administrator.post('/admin/keys', { name: '', 'actions.predict': 'on' }, chinese);
  expect(wrong.text).toContain('密钥名称须为 1 至 80 个字符。请注明使用方。');
  const unknown = await box.administrator.get('/admin/models/absent', chinese);
  expect(unknown.text).toContain('没有模型“absent”。');
  expect((await box.stranger().post('/sign-in', { name: 'x', password: 'y' }, chinese)).text).toContain(
    '用户名或密码错误。',
  );
});
