// The v2 handler over real models that these tests write themselves, one for each datatype and each awkward shape.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createV2, type V2Limits } from '../../../src/http/v2/routes.ts';
import type { ModelControl } from '../../../src/inference/plane.ts';
import type { Datatype } from '../../../src/types.ts';
import { DirectPlane, type ServeOptions } from './direct-plane.ts';
import { type Node, onnxFile, type Value } from './onnx-file.ts';

export const limits: V2Limits = {
  maxBodyBytes: 200_000,
  maxJsonBytes: 100_000,
  maxInflatedBytes: 400_000,
  maxJsonTensorBytes: 40_000,
};

/** BF16 cannot be computed by the binding, so no model has it. */
export const datatypes: Datatype[] = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
];

export interface Reply {
  status: number;
  headers: Headers;
  bytes: Uint8Array;
  json: () => Json;
}

/** What the tests look at in answers; each field only where the protocol puts it. */
export interface Json {
  [name: string]: unknown;
  error: string;
  outputs: {
    name: string;
    datatype: string;
    shape: number[];
    data: unknown[];
    parameters: { binary_data_size: number };
  }[];
}

const wide = (name: string): Value => ({ name, datatype: 'INT32', shape: ['batch', 16] });

export class Harness {
  readonly plane = new DirectPlane();
  readonly controlCalls: string[] = [];
  readonly handle: ReturnType<typeof createV2>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'aimass-v2-'));

  constructor() {
    const control: ModelControl = {
      load: async (name) => void this.controlCalls.push(`load ${this.plane.getModel(name).name}`),
      unload: async (name) => void this.controlCalls.push(`unload ${this.plane.getModel(name).name}`),
    };
    this.handle = createV2(this.plane, control, limits);
    for (const datatype of datatypes) {
      this.serveIdentity(`identity_${datatype}`, datatype, ['batch', 'n'], { maxBatchSize: 8 });
    }
    this.serveIdentity('fixed', 'FP32', [4]);
    this.serveIdentity('scalar', 'FP32', ['batch'], { maxBatchSize: 4 });
    this.serveIdentity('free', 'FP32', ['a', 'b']);
    this.serveIdentity('scores', 'FP32', ['batch', 'n'], { maxBatchSize: 8, labels: ['cat', 'dog'] });
    this.serveIdentity('a/b c', 'FP32', [2]);
    this.serve(
      'simple',
      [
        { op: 'Add', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT0'] },
        { op: 'Sub', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT1'] },
      ],
      [wide('INPUT0'), wide('INPUT1')],
      [wide('OUTPUT0'), wide('OUTPUT1')],
      { maxBatchSize: 8 },
    );
    this.serve(
      'gather',
      [{ op: 'Gather', inputs: ['table', 'index'], outputs: ['row'] }],
      [
        { name: 'table', datatype: 'FP32', shape: [4] },
        { name: 'index', datatype: 'INT64', shape: [1] },
      ],
      [{ name: 'row', datatype: 'FP32', shape: [1] }],
    );
  }

  serveIdentity(name: string, datatype: Datatype, shape: (number | string)[], options: ServeOptions = {}): void {
    const node = { op: 'Identity', inputs: ['x'], outputs: ['y'] };
    this.serve(name, [node], [{ name: 'x', datatype, shape }], [{ name: 'y', datatype, shape }], options);
  }

  serve(name: string, nodes: Node[], inputs: Value[], outputs: Value[], options: ServeOptions = {}): void {
    const path = join(this.folder, `${crypto.randomUUID()}.onnx`);
    writeFileSync(path, onnxFile(nodes, inputs, outputs));
    this.plane.serve(name, path, options);
  }

  close(): void {
    this.plane.dispose();
    rmSync(this.folder, { recursive: true });
  }

  async send(
    method: string,
    path: string,
    body?: string | Uint8Array | null,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const answer = await this.handle(
      new Request(`http://box${path}`, { method, body: body as string, headers }),
      path,
      () => undefined,
      'id-of-request',
    );
    if (!answer) throw new Error(`${path} is not taken by /v2`);
    return replyOf(answer);
  }

  get(path: string): Promise<Reply> {
    return this.send('GET', path);
  }

  infer(model: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.send('POST', `/v2/models/${model}/infer`, text, headers);
  }

  /** A request with binary tensors behind its JSON. */
  inferBinary(
    model: string,
    header: unknown,
    parts: Uint8Array[],
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const json = Buffer.from(JSON.stringify(header));
    return this.send('POST', `/v2/models/${model}/infer`, Buffer.concat([json, ...parts]), {
      'inference-header-content-length': String(json.length),
      ...headers,
    });
  }
}

export async function replyOf(answer: Response): Promise<Reply> {
  const bytes = await answer.bytes();
  return {
    status: answer.status,
    headers: answer.headers,
    bytes,
    json: () => JSON.parse(Buffer.from(bytes).toString()) as Json,
  };
}

/** Takes a response apart as clients do: JSON part, then the binary outputs in order. */
export function splitReply(reply: Reply): { json: Json; parts: Uint8Array[] } {
  const length = Number(reply.headers.get('inference-header-content-length') ?? reply.bytes.length);
  const json = JSON.parse(Buffer.from(reply.bytes.subarray(0, length)).toString()) as Json;
  const parts: Uint8Array[] = [];
  let at = length;
  for (const output of json.outputs) {
    const size = output.parameters?.binary_data_size ?? 0;
    parts.push(reply.bytes.subarray(at, at + size));
    at += size;
  }
  return { json, parts };
}

/** The wire form of a BYTES tensor. */
export function elements(...texts: (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    texts.flatMap((text) => {
      const content = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(content.length);
      return [length, content];
    }),
  );
}
