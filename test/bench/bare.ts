// ONNX Runtime alone, in a process of its own: one session, one thread, run after run. What no server can be faster than.
// Usage: bun bare.ts MODEL SECONDS; prints one line of JSON.
import { Tensor } from 'onnxruntime-node';

import { openDirect } from '../smoke/tensors.ts';

const [path, seconds] = process.argv.slice(2);
const session = await openDirect(path!);
const feeds: Record<string, Tensor> = {};
for (const input of session.inputMetadata) {
  if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
  const shape = input.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1));
  const count = shape.reduce((product, size) => product * size, 1);
  feeds[input.name] = new Tensor(
    'float32',
    Float32Array.from({ length: count }, (_, index) => index / count),
    shape,
  );
}
for (let warm = 0; warm < 20; warm++) await session.run(feeds);

const times: number[] = [];
const startMs = performance.now();
let nowMs = startMs;
while (nowMs < startMs + Number(seconds) * 1000) {
  await session.run(feeds);
  const endMs = performance.now();
  times.push(endMs - nowMs);
  nowMs = endMs;
}
times.sort((a, b) => a - b);
const p50Us = times[Math.floor(times.length / 2)]! * 1000;
console.log(JSON.stringify({ perSecond: (times.length / (nowMs - startMs)) * 1000, p50Us }));
