// Imports versions without end until it is killed, and prints each one that was acknowledged. For kill.test.ts.
import { facts, openIn } from './opened.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const signature = { inputs: [], outputs: [] };
const { registry } = await openIn(folder, {
  inspect: async () => ({ signature, facts, batchable: false, warnings: [] }),
});
process.stdout.write('ready\n');

/** Something that passes for an ONNX file, different for each `label`. */
function contentOf(label: string, bytes: number): Uint8Array {
  const content = Buffer.alloc(bytes, label);
  content[0] = 8;
  content[1] = 7;
  return content;
}

async function upload(content: Uint8Array): Promise<string> {
  const { id } = await registry.createUpload(content.length);
  const half = content.length >> 1;
  await registry.appendUpload(id, 0, new Blob([content.slice(0, half)]).stream());
  await registry.appendUpload(id, half, new Blob([content.slice(half)]).stream());
  return id;
}

for (let i = 0; ; i++) {
  // Every third version shares its content with others, and now and then one is removed.
  const label = i % 3 === 0 ? 'shared' : `${round}-${i}`;
  const content = contentOf(label, 20_000 + (i % 3) * 30_000);
  const [version] = await registry.importVersions({
    name: `model-${i % 2}`,
    files: [{ uploadId: await upload(content), path: 'model.onnx' }],
  });
  const sha256 = new Bun.CryptoHasher('sha256').update(content).digest('hex');
  process.stdout.write(`${JSON.stringify({ model: version!.model, version: version!.version, sha256 })}\n`);
  if (i % 5 === 4) {
    const { model, version: number } = version!;
    process.stdout.write(`${JSON.stringify({ model, version: number, removing: true })}\n`);
    await registry.removeVersion(model, number);
  }
}
