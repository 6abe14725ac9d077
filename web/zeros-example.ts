// A shell command that calls a model with zeros: for tensors that are too long to be written out, or have no form in JSON.
// The bytes follow the JSON, as the Open Inference Protocol's binary extension has it.
import { type Callee, elementCount, type Example, exampleShape, isBinaryOnly } from './call-examples.ts';

/** Bytes of one element that is zero; of BYTES an empty text, which is its length alone. */
const widths: Record<string, number> = { BOOL: 1, UINT8: 1, INT8: 1, UINT16: 2, INT16: 2, FP16: 2, BF16: 2 };
const wide = new Set(['UINT64', 'INT64', 'FP64']);
const widthOf = (datatype: string) => widths[datatype] ?? (wide.has(datatype) ? 8 : 4);

export function zerosExample({ origin, name, signature: { inputs, outputs } }: Callee): Example {
  const tensors = inputs.map((input) => {
    const shape = exampleShape(input, inputs);
    const bytes = elementCount(shape) * widthOf(input.datatype);
    return { name: input.name, shape, datatype: input.datatype, parameters: { binary_data_size: bytes } };
  });
  const isBinary = outputs.some(isBinaryOnly);
  const body = JSON.stringify({ inputs: tensors, ...(isBinary && { parameters: { binary_data_output: true } }) });
  const total = tensors.reduce((sum, { parameters }) => sum + parameters.binary_data_size, 0);
  const lines = [
    `{ printf '%s' '${body.replaceAll("'", `'\\''`)}'; head -c ${total} /dev/zero; } |`,
    `  curl ${origin}/v2/models/${name}/infer -H "X-API-Key: $AIMASS_KEY" \\`,
    "  -H 'Content-Type: application/octet-stream' \\",
    `  -H 'Inference-Header-Content-Length: ${Buffer.byteLength(body)}' \\`,
    `  --data-binary @-${isBinary ? ' -o answer.bin' : ''}`,
  ];
  return { title: 'curl, with zeros', text: lines.join('\n') };
}
