// What one would write without an appliance: node:http and onnxruntime-node, one process, the same JSON protocol.
// Usage: node plain-peer.mjs MODEL; prints its port.
import { createServer } from 'node:http';

import { InferenceSession, Tensor } from 'onnxruntime-node';

const session = await InferenceSession.create(process.argv[2], { intraOpNumThreads: 1, interOpNumThreads: 1 });

async function infer(text) {
  const request = JSON.parse(text);
  const feeds = {};
  for (const { name, shape, data } of request.inputs) {
    feeds[name] = new Tensor('float32', Float32Array.from(data), shape);
  }
  const results = await session.run(feeds);
  const outputs = Object.entries(results).map(([name, { dims, data }]) => ({
    name,
    datatype: 'FP32',
    shape: dims,
    data: Array.from(data),
  }));
  return JSON.stringify({ model_name: 'cnn', model_version: '1', outputs });
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      const body = await infer(Buffer.concat(chunks).toString());
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.end(body);
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
