import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import * as fc from 'fast-check';
import { pack } from 'tar-stream';

import { AppError } from '../../src/error.ts';
import { cleanPath, PathSet } from '../../src/registry/entry-path.ts';
import * as graphs from '../support/graphs.ts';
import { errorOf, type Opened, openTemporary, python } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => it.remove());

const hasPython = existsSync('/usr/bin/python3');

interface TarEntry {
  name: string;
  content?: Uint8Array | string;
  type?: 'file' | 'symlink' | 'link' | 'directory' | 'fifo' | 'character-device' | 'block-device';
  linkname?: string;
}

async function tar(entries: TarEntry[]): Promise<Uint8Array> {
  const packing = pack();
  for (const { name, content = '', type = 'file', linkname } of entries) {
    packing.entry({ name, type, linkname }, Buffer.from(content as string));
  }
  packing.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of packing as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A zip file as Python writes it. @param entries as JSON: name, text or base64 content, external attributes */
function zip(entries: { name: string; content?: Uint8Array | string; attributes?: number }[]): Uint8Array {
  const script = `
import sys, json, base64, io, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
    for e in json.load(sys.stdin):
        info = zipfile.ZipInfo(e['name'])
        info.filename = e['name']
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = e['attributes']
        z.writestr(info, base64.b64decode(e['content']))
sys.stdout.buffer.write(out.getvalue())`;
  const list = entries.map(({ name, content = '', attributes = 0 }) => ({
    name,
    attributes,
    content: Buffer.from(content as string).toString('base64'),
  }));
  return python(script, JSON.stringify(list));
}

const model = graphs.smallCnn();
const big = graphs.bigWeights(1, true);
const contents = [
  { name: '__MACOSX/._net', content: 'x' },
  { name: 'net/.DS_Store', content: 'x' },
  { name: 'net/README.md', content: '# Net' },
  { name: 'net/model.onnx', content: big['model.onnx']! },
  { name: 'net/weights.bin', content: big['weights.bin']! },
  { name: 'net/notes.txt', content: 'x' },
];

async function refusal(archive: Uint8Array, name = 'a.tar') {
  const error = await errorOf(it.push('m', { [name]: archive }));
  expect(it.registry.listModels()).toEqual([]);
  expect(it.filesOnDisk().filter((path) => !path.startsWith('uploads/'))).toEqual([]);
  return error;
}

const hasUnpacked = async (archive: Uint8Array, name: string) => {
  const [version] = await it.push('m', { [name]: archive });
  expect(version!.files.map(({ path, bytes }) => [path, bytes])).toEqual([
    ['model.onnx', big['model.onnx']!.length],
    ['weights.bin', big['weights.bin']!.length],
  ]);
  expect(version!.manifest.origin).toEqual({ kind: 'upload', from: name });
  expect(version!.warnings.join()).toContain('net/notes.txt');
  expect(it.filesOnDisk().every((path) => path.startsWith('blobs/'))).toBe(true);
};

describe('what unpacks', () => {
  test('tar, whatever it is called', async () => hasUnpacked(await tar(contents), 'net.data'));
  test('tar.gz', async () => hasUnpacked(gzipSync(await tar(contents)), 'net.tar.gz'));
  test.skipIf(!hasPython)('zip, by Python', () => hasUnpacked(zip(contents), 'net.zip'));

  test.skipIf(!hasPython).each(['USTAR', 'GNU', 'PAX'])(
    'tar in the format %s, by Python, with a long name',
    async (format) => {
      const script = `
import sys, io, tarfile
data = sys.stdin.buffer.read()
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.${format}_FORMAT) as t:
    info = tarfile.TarInfo('./' + 'n' * 90 + '/' + 'm' * 90 + '.onnx')
    info.size = len(data)
    t.addfile(info, io.BytesIO(data))`;
      const archive = python(script, model);
      expect((await it.push('m', { 'a.tar': archive }))[0]!.entry).toBe(`${'m'.repeat(90)}.onnx`);
    },
  );

  test('a Triton repository', async () => {
    const config = 'max_batch_size: 4';
    const archive = await tar([
      { name: 'repo', type: 'directory' },
      { name: 'repo/a/config.pbtxt', content: config },
      { name: 'repo/a/1/model.onnx', content: graphs.addSub() },
      { name: 'repo/b/config.pbtxt', content: config },
      { name: 'repo/b/1/model.onnx', content: graphs.addSub() },
      { name: 'repo/b/2/model.onnx', content: graphs.addScalar(3) },
    ]);
    const versions = await it.push(undefined, { 'repo.tar': archive });
    expect(versions.map(({ model: name, version }) => `${name}:${version}`)).toEqual(['a:1', 'b:1', 'b:2']);
  });
});

describe('what does not', () => {
  test.each([
    '../m.onnx',
    '/etc/m.onnx',
    'a/../../m.onnx',
    'a\\..\\m.onnx',
    'C:/m.onnx',
    'a\nb.onnx',
    '..',
    `${'d/'.repeat(20)}m.onnx`,
  ])('the path %p', async (name) => {
    const inTar = await refusal(await tar([{ name, content: model }]));
    expect(inTar.code).toBe('invalid');
    // Python writes names in code page 437, where a newline is a picture.
    if (!hasPython || name.includes('\n')) return;
    const inZip = await refusal(zip([{ name, content: model }]), 'a.zip');
    expect(inZip.code).toBe('invalid');
  });

  test.each([
    { name: 'weights.bin', type: 'symlink', linkname: '/etc/passwd' },
    { name: 'weights.bin', type: 'link', linkname: '../../test.db' },
    { name: 'pipe', type: 'fifo' },
    { name: 'device', type: 'character-device' },
    { name: 'device', type: 'block-device' },
  ] as TarEntry[])('a $type in a tar', async (entry) => {
    const error = await refusal(await tar([entry, { name: 'm.onnx', content: model }]));
    expect(error.message).toContain(entry.name);
    expect(error.message).toContain(entry.type!);
  });

  test.skipIf(!hasPython)('a symbolic link in a zip', async () => {
    const link = { name: 'weights.bin', content: '/etc/passwd', attributes: (0o120777 << 16) >>> 0 };
    expect((await refusal(zip([link, { name: 'm.onnx', content: model }]), 'a.zip')).message).toContain(
      'symbolic link',
    );
  });

  test.each([
    ['m.onnx', 'm.onnx'],
    ['m.onnx', 'M.ONNX'],
    ['m.onnx', './m.onnx'],
    ['a', 'a/m.onnx'],
    ['a/m.onnx', 'a'],
    ['A/x', 'a'],
  ])('%p beside %p', async (...names: unknown[]) => {
    const archive = await tar(names.map((name) => ({ name: String(name), content: model })));
    expect((await refusal(archive)).message).toContain('clashes');
  });

  test('an archive that was cut off anywhere', async () => {
    const whole = await tar([
      { name: 'm.onnx', content: model },
      { name: 'b', content: 'b'.repeat(1000) },
    ]);
    for (const length of [100, 512, 513, 3000, whole.length - 3 * 512, whole.length - 2 * 512]) {
      expect((await refusal(whole.subarray(0, length))).code).toBeOneOf(['invalid', 'unsupported']);
    }
    const packed = gzipSync(whole);
    for (const length of [20, 3000, packed.length - 9, packed.length - 1]) {
      expect((await refusal(packed.subarray(0, length), 'a.tgz')).code).toBe('invalid');
    }
    if (!hasPython) return;
    const zipped = zip([{ name: 'm.onnx', content: model }]);
    for (const length of [30, 3000, zipped.length - 30]) {
      expect((await refusal(zipped.subarray(0, length), 'a.zip')).code).toBe('invalid');
    }
  });

  test('one that is damaged inside', async () => {
    const packed = Buffer.from(gzipSync(await tar([{ name: 'm.onnx', content: model }])));
    packed[packed.length >> 1]! ^= 255;
    expect((await refusal(packed, 'a.tgz')).code).toBe('invalid');
    if (!hasPython) return;
    const stored = Buffer.from(
      python(`import sys, zipfile, io
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as z: z.writestr('m.onnx', b'\\x08\\x07' + b'x' * 1000)
sys.stdout.buffer.write(out.getvalue())`),
    );
    stored[500]! ^= 255;
    expect((await refusal(stored, 'a.zip')).message).toContain('damaged');
  });

  test('nothing, and what is only gzip', async () => {
    expect((await refusal(Buffer.alloc(10_240))).code).toBe('unsupported');
    expect((await refusal(gzipSync(Buffer.alloc(10_240)), 'a.tgz')).message).toContain('no files');
    expect((await refusal(gzipSync(model), 'model.onnx.gz')).code).toBe('invalid');
    expect((await refusal(await tar([{ name: 'd', type: 'directory' }]))).message).toContain('no files');
  });

  test('more entries, or more bytes, than are allowed', async () => {
    it = await it.reopen({ maxArchiveFiles: 10, maxUploadBytes: 1_000_000 });
    const many = Array.from({ length: 11 }, (_, index) => ({ name: `d${index}`, type: 'directory' as const }));
    expect((await refusal(await tar(many))).code).toBe('too_large');
    const bomb = gzipSync(await tar([{ name: 'm.onnx', content: Buffer.alloc(1_000_001) }]));
    expect(bomb.length).toBeLessThan(3000);
    expect((await refusal(bomb, 'a.tgz')).code).toBe('too_large');
    expect((await refusal(gzipSync(Buffer.concat([await tar([]), Buffer.alloc(3_000_000)])), 'b.tgz')).code).toBe(
      'too_large',
    );
    if (!hasPython) return;
    const parts = Array.from({ length: 3 }, (_, index) => ({ name: `f${index}`, content: Buffer.alloc(400_000) }));
    expect((await refusal(zip(parts), 'a.zip')).code).toBe('too_large');
  });

  test.skipIf(!hasPython)('a zip whose sizes are lies', async () => {
    const honest = Buffer.from(zip([{ name: 'm.onnx', content: Buffer.alloc(100_000, 8) }]));
    const at = honest.indexOf('PK\x01\x02') + 24;
    for (const size of [10, 99_999, 100_001, 0xfffffffe]) {
      const lie = Buffer.from(honest);
      lie.writeUInt32LE(size, at);
      expect((await refusal(lie, 'a.zip')).code).toBeOneOf(['invalid', 'too_large']);
    }
  });

  test.skipIf(!hasPython)('a tar header with a size beyond the archive', async () => {
    const script = `
import sys, tarfile
info = tarfile.TarInfo('m.onnx'); info.size = 1 << 40
sys.stdout.buffer.write(info.tobuf(tarfile.GNU_FORMAT) + b'x' * 2048)`;
    expect((await refusal(python(script))).code).toBe('too_large');
  });
});

test('any damage ends in an error for the person, never in one for the process', async () => {
  const archives = [await tar(contents), gzipSync(await tar(contents.slice(0, 3)))];
  if (hasPython) archives.push(zip(contents));
  it = await it.reopen({ inspect: () => Promise.reject(new AppError('invalid', 'The model is broken.')) });
  const damage = fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)), {
    minLength: 1,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...archives), damage, fc.boolean(), async (whole, changes, inHeaders) => {
      const broken = Buffer.from(whole);
      const reach = inHeaders ? Math.min(2048, broken.length) : broken.length;
      for (const [place, byte] of changes) {
        const at = Math.floor(place * reach);
        broken[place > 0.5 && inHeaders ? broken.length - 1 - at : at] = byte;
      }
      await errorOf(it.push('m', { 'a.bin': broken }));
    }),
    { numRuns: 60 },
  );
  expect(it.filesOnDisk().filter((path) => !path.startsWith('uploads/'))).toEqual([]);
});

describe('paths', () => {
  const segment = fc.oneof(
    fc.constantFrom('', '.', '..', 'a', 'A', 'b', 'ä', 'a\u0308', ' ', '...', '~', 'C:', '\\', '\0', 'x'.repeat(201)),
    fc.string({ unit: 'binary' }),
  );
  const path = fc.array(segment, { maxLength: 8 }).map((parts) => parts.join('/'));

  test('what is clean stays inside and stays as it is', () => {
    fc.assert(
      fc.property(path, (raw) => {
        let clean: string;
        try {
          clean = cleanPath(raw);
        } catch {
          return;
        }
        const url = new URL(clean.split('/').map(encodeURIComponent).join('/'), 'http://host/inside/');
        expect(url.pathname).toStartWith('/inside/');
        expect(clean.split('/')).not.toContain('..');
        expect(clean).toBe(cleanPath(clean));
        expect(clean).not.toMatch(/^\/|[\\\0]|\/\/|\/$/);
      }),
      { numRuns: 2000 },
    );
  });

  test('a set takes no two paths that could be one file, or file and folder', () => {
    const plain = fc.array(fc.constantFrom('a', 'A', 'b', 'ä', 'a\u0308'), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(
          plain.map((parts) => parts.join('/')),
          { maxLength: 6 },
        ),
        (paths) => {
          const set = new PathSet();
          const taken: string[] = [];
          for (const raw of paths) {
            const key = raw.normalize('NFC').toLowerCase();
            const clashes = taken.some(
              (other) => other === key || other.startsWith(`${key}/`) || key.startsWith(`${other}/`),
            );
            if (clashes) expect(() => set.add(raw)).toThrow('clashes');
            else taken.push(set.add(raw).normalize('NFC').toLowerCase());
          }
        },
      ),
    );
  });
});
