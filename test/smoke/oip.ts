// A small client of the Open Inference Protocol v2, written from the protocol and not from the server: JSON both ways and
// binary tensors both ways.
import type { Datatype, TensorData } from '../../src/types.ts';
import { bytesToStrings, numbersOf, stringsToBytes } from './tensors.ts';

export interface Answer {
  status: number;
  /** The server's words when the status is not 200. */
  error: string;
  version: string;
  outputs: TensorData[];
}

interface OutputHeader {
  name: string;
  datatype: Datatype;
  shape: number[];
  parameters?: { binary_data_size: number };
  /** Numbers as their source text, so that no digit is lost. */
  data?: unknown[];
}

interface ResponseHeader {
  error?: string;
  model_version: string;
  outputs: OutputHeader[];
}

type Send = (path: string, init: RequestInit) => Promise<Response>;

const lengthHeader = 'Inference-Header-Content-Length';

/** The value as JSON text that reads back to the same number. */
function jsonText(value: number | bigint): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

function jsonData(tensor: TensorData): string {
  if (tensor.datatype === 'BYTES') return JSON.stringify(bytesToStrings(tensor));
  const numbers = Array.from(numbersOf(tensor) as ArrayLike<number | bigint>);
  const words = tensor.datatype === 'BOOL' ? numbers.map((value) => String(value !== 0)) : numbers.map(jsonText);
  return `[${words.join(',')}]`;
}

/** @returns undefined when a value has no JSON form */
export function jsonBody(inputs: TensorData[]): string | undefined {
  const parts: string[] = [];
  for (const input of inputs) {
    if (input.datatype === 'FP16') return undefined;
    const data = jsonData(input);
    if (input.datatype !== 'BYTES' && /NaN|Infinity/.test(data)) return undefined;
    const { name, datatype, shape } = input;
    parts.push(`${JSON.stringify({ name, datatype, shape }).slice(0, -1)},"data":${data}}`);
  }
  return `{"inputs":[${parts.join(',')}]}`;
}

export async function inferJson(send: Send, model: string, body: string): Promise<Answer> {
  const response = await send(`/v2/models/${encodeURIComponent(model)}/infer`, { method: 'POST', body });
  const header = parse(await response.text());
  return answerOf(response.status, header, (output) => fromJson(output));
}

export function binaryBody(inputs: TensorData[]): { body: Uint8Array<ArrayBuffer>; headers: Record<string, string> } {
  const header = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: inputs.map(({ name, datatype, shape, bytes }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.length },
      })),
    }),
  );
  const body = new Uint8Array(Buffer.concat([header, ...inputs.map(({ bytes }) => bytes)]));
  return { body, headers: { [lengthHeader]: String(header.length) } };
}

export async function inferBinary(send: Send, model: string, inputs: TensorData[]): Promise<Answer> {
  const path = `/v2/models/${encodeURIComponent(model)}/infer`;
  const response = await send(path, { method: 'POST', ...binaryBody(inputs) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  let at = Number(response.headers.get(lengthHeader) ?? bytes.length);
  const header = parse(new TextDecoder().decode(bytes.subarray(0, at)));
  return answerOf(response.status, header, (output) => {
    const size = output.parameters?.binary_data_size;
    // An output without elements may come without bytes, as JSON.
    if (size === undefined) return fromJson(output);
    at += size;
    return bytes.slice(at - size, at);
  });
}

function parse(text: string): ResponseHeader {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? new Numeral(context?.source ?? String(value)) : value,
  ) as ResponseHeader;
}

/** A number of the response in its own digits. */
class Numeral {
  constructor(readonly text: string) {}
}

function answerOf(status: number, header: ResponseHeader, read: (output: OutputHeader) => Uint8Array): Answer {
  const outputs = (header.outputs ?? []).map((output) => {
    const shape = output.shape.map(plain);
    const parameters = output.parameters && { binary_data_size: plain(output.parameters.binary_data_size) };
    return { name: output.name, datatype: output.datatype, shape, bytes: read({ ...output, parameters }) };
  });
  return { status, error: header.error ?? '', version: header.model_version, outputs };
}

function plain(value: unknown): number {
  return Number((value as Numeral).text);
}

function fromJson({ name, datatype, data = [] }: OutputHeader): Uint8Array {
  if (datatype === 'BYTES') return stringsToBytes(data as string[]);
  const empty = numbersOf({ name, datatype, shape: [], bytes: new Uint8Array() });
  const big = datatype === 'INT64' || datatype === 'UINT64';
  const values = data.map((value) => {
    if (typeof value === 'boolean') return Number(value);
    const { text } = value as Numeral;
    return big ? BigInt(text) : Number(text);
  });
  const array = empty.constructor as unknown as { from(values: unknown[]): Float32Array };
  return new Uint8Array(array.from(values).buffer);
}
