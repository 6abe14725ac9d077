// Every operator case of Debian's libonnx-testdata, through the executable's REST interface and straight through
// onnxruntime-node: the same bits where it runs, a refusal where it does not.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import type { InferenceSession } from 'onnxruntime-node';

import { readModel } from '../../src/onnx/read.ts';
import type { TensorData } from '../../src/types.ts';
import { Appliance, discard, unpack } from './appliance.ts';
import { type Answer, inferBinary, inferJson, jsonBody } from './oip.ts';
import { numbersOf, openDirect, readTensorFile, runDirect } from './tensors.ts';

const folder = '/usr/share/libonnx-testdata/data/node';
const atOnce = 2;

let home: string;
let appliance: Appliance;

beforeAll(async () => {
  home = await unpack();
  appliance = await Appliance.start({ home, args: ['--threads', '1'] });
});

afterAll(async () => {
  await appliance?.stop();
  await discard(home);
});

/** What the library itself makes of a case. */
type Direct = { kind: 'not loaded' | 'not run' } | { kind: 'ran'; outputs: TensorData[]; repeatable: boolean };

interface Case {
  name: string;
  inputs: TensorData[];
  direct: Direct;
}

async function readInputs(name: string, session: InferenceSession): Promise<TensorData[]> {
  const path = (index: number) => join(folder, name, `test_data_set_0/input_${index}.pb`);
  const present = session.inputNames.filter((_, index) => existsSync(path(index)));
  return Promise.all(present.map((input, index) => readTensorFile(path(index), input)));
}

/** Operators whose results differ from run to run. */
const randomOperators = /^(?:Random\w+|Bernoulli|Multinomial)$/;

async function isRepeatable(path: string): Promise<boolean> {
  const { graph } = readModel(await Bun.file(path).bytes());
  return !graph!.node.some(({ opType }) => randomOperators.test(opType));
}

async function readCase(name: string): Promise<Case> {
  const path = join(folder, name, 'model.onnx');
  let session: InferenceSession;
  try {
    session = await openDirect(path);
  } catch {
    return { name, inputs: [], direct: { kind: 'not loaded' } };
  }
  let inputs: TensorData[] = [];
  try {
    inputs = await readInputs(name, session);
    const outputs = await runDirect(session, inputs);
    return { name, inputs, direct: { kind: 'ran', outputs, repeatable: await isRepeatable(path) } };
  } catch {
    return { name, inputs, direct: { kind: 'not run' } };
  } finally {
    await session.release();
  }
}

const told = ({ name, datatype, shape }: TensorData) => `${name} ${datatype} [${shape.join()}]`;

/** Where two lists of tensors are not the same to the bit. */
function differences(expected: TensorData[], actual: TensorData[]): string[] {
  if (expected.length !== actual.length) return [`${actual.length} outputs instead of ${expected.length}`];
  return expected.flatMap((tensor, index) => {
    const other = actual[index]!;
    if (told(tensor) !== told(other)) return [`${told(other)} instead of ${told(tensor)}`];
    return Buffer.from(tensor.bytes).equals(other.bytes) ? [] : [`${tensor.name} has other values`];
  });
}

const hasJsonForm = ({ datatype, ...rest }: TensorData) =>
  datatype !== 'FP16' &&
  (datatype === 'BYTES' ||
    Array.from(numbersOf({ datatype, ...rest }) as ArrayLike<number>).every(
      (value) => typeof value === 'bigint' || Number.isFinite(value),
    ));

const counts: Record<string, number> = {};
const complaints: string[] = [];

function count(what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

async function push(name: string): Promise<{ status: number; text: string }> {
  const path = `/api/v1/models/${name}/versions?filename=model.onnx`;
  const response = await appliance.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Bun.file(join(folder, name, 'model.onnx')),
  });
  return { status: response.status, text: await response.text() };
}

async function checkCase(one: Case): Promise<string[]> {
  const { name, direct } = one;
  const pushed = await push(name);
  if (pushed.status >= 400) {
    count('refused at import');
    const fair = pushed.status < 500 && direct.kind !== 'ran';
    return fair ? [] : [`refused with ${pushed.status} ${pushed.text}, directly: ${direct.kind}`];
  }
  try {
    return direct.kind === 'ran' ? await compare(one, direct) : await checkRefusal(one);
  } finally {
    await appliance.fetch(`/api/v1/models/${name}/unload`, { method: 'POST' });
    const removed = await appliance.fetch(`/api/v1/models/${name}`, { method: 'DELETE' });
    if (!removed.ok) complaints.push(`${name}: not removed, ${removed.status} ${await removed.text()}`);
  }
}

const send = (path: string, init: RequestInit) => appliance.fetch(path, init);

async function checkRefusal({ name, inputs, direct }: Case): Promise<string[]> {
  if (inputs.length === 0) return (count('loads only as a service'), [`loads, but directly: ${direct.kind}`]);
  const answer = await inferBinary(send, name, inputs);
  count('refused at inference');
  return answer.status === 200 ? ['answers, but fails directly'] : [];
}

async function compare({ name, inputs }: Case, direct: Extract<Direct, { kind: 'ran' }>): Promise<string[]> {
  const against = (form: string, answer: Answer) => {
    if (answer.status !== 200) return [`${form}: ${answer.status} ${answer.error}`];
    if (direct.repeatable) return differences(direct.outputs, answer.outputs).map((line) => `${form}: ${line}`);
    return [];
  };
  count(direct.repeatable ? 'compared' : 'random by nature');
  const found = against('binary', await inferBinary(send, name, inputs));

  const body = jsonBody(inputs);
  if (body === undefined) return found;
  const answer = await inferJson(send, name, body);
  if (!direct.repeatable || direct.outputs.every(hasJsonForm)) {
    count('compared in JSON too');
    return [...found, ...against('JSON', answer)];
  }
  count('without a JSON form');
  const named = direct.outputs.some((output) => answer.error.includes(output.name));
  const right = answer.status === 400 && named && /binary/.test(answer.error);
  return right ? found : [...found, `JSON: ${answer.status} ${answer.error}, although it has no JSON form`];
}

test.skipIf(!existsSync(folder))(
  'every operator case gives what it gives directly (needs libonnx-testdata)',
  async () => {
    const names = readdirSync(folder).sort();
    const waiting = names.values();
    const work = async () => {
      for (const name of waiting) {
        const found = await checkCase(await readCase(name));
        complaints.push(...found.map((line) => `${name}: ${line}`));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    console.log(`${names.length} operator cases:`, counts);
    expect(complaints).toEqual([]);
    expect(counts.compared).toBeGreaterThan(850);
  },
  15 * 60_000,
);
