// A real ONNX model as the function that `predict` is handed, for the tests of this room.
import { join } from 'node:path';

import { fromOrt, openSession, toOrt } from '../../src/inference/session.ts';
import type { Compute } from '../../src/task/predict.ts';
import type { Signature } from '../../src/types.ts';

const root = join(import.meta.dir, '../..');

export function openModel(path: string): { signature: Signature; compute: Compute } {
  const nativeFolder = join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
  const session = openSession(path, { threads: 1, nativeFolder });
  const compute: Compute = async (inputs, outputs = session.signature.outputs.map(({ name }) => name)) => {
    const feeds = Object.fromEntries(
      inputs.map(({ name, datatype, shape, bytes }) => [name, toOrt(datatype, shape, bytes)]),
    );
    const results = session.run(feeds, Object.fromEntries(outputs.map((name) => [name, null])));
    return outputs.map((name) => {
      const { datatype, shape, bytes } = fromOrt(results[name]!);
      return { name, datatype, shape: [...shape], bytes: bytes.slice() };
    });
  };
  return { signature: session.signature, compute };
}
