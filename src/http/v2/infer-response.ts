// The outputs of a call to the body of a response: JSON, or JSON with binary tensors behind it.
// Copies what it keeps of the outputs, which are views of memory that is reused.
import { AppError } from '../../error.ts';
import type { VersionRoute } from '../../inference/routing.ts';
import type { TensorData } from '../../types.ts';
import { classify } from './classification.ts';
import type { InferRequest } from './infer-request.ts';
import { encodeJsonTensor } from './json-encode.ts';

export interface InferBody {
  content: string | Uint8Array<ArrayBuffer>;
  /** Bytes of the JSON part, when binary tensors follow it. */
  jsonBytes?: number;
}

/**
 * @param outputs in the order in which the request lists them, or all of the signature
 * @throws AppError invalid when an output cannot be written in the form asked for
 */
export function encodeResponse(
  route: VersionRoute,
  request: InferRequest,
  outputs: readonly TensorData[],
  maxJsonTensorBytes: number,
): InferBody {
  const parts: Uint8Array[] = [];
  let binaryBytes = 0;
  let list = '';
  for (let i = 0; i < outputs.length; i++) {
    const wanted = request.outputs?.[i];
    const output = wanted?.classification
      ? classify(outputs[i]!, wanted.classification, route.serving.maxBatchSize > 0, route.labels)
      : outputs[i]!;
    const { name, datatype, shape, bytes } = output;
    const head = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
    if (i > 0) list += ',';
    if (wanted ? wanted.binary : request.binaryOutput) {
      parts.push(bytes);
      binaryBytes += bytes.length;
      list += `${head},"parameters":{"binary_data_size":${bytes.length}}}`;
    } else {
      checkSize(output, maxJsonTensorBytes);
      list += `${head},"data":${encodeJsonTensor(output)}}`;
    }
  }
  const id = request.id === undefined ? '' : `"id":${JSON.stringify(request.id)},`;
  const model = JSON.stringify(route.model);
  const json = `{${id}"model_name":${model},"model_version":"${route.version}","outputs":[${list}]}`;
  return binaryBytes > 0 ? withBinary(json, parts, binaryBytes) : { content: json };
}

function checkSize({ name, bytes }: TensorData, maxJsonTensorBytes: number): void {
  if (bytes.length <= maxJsonTensorBytes) return;
  throw new AppError(
    'invalid',
    `output '${name}' has ${bytes.length} bytes, a JSON tensor may have ${maxJsonTensorBytes}`,
    'Ask for it as binary data: "parameters": {"binary_data": true}.',
  );
}

function withBinary(json: string, parts: Uint8Array[], binaryBytes: number): InferBody {
  const jsonBytes = Buffer.byteLength(json);
  const content = new Uint8Array(jsonBytes + binaryBytes);
  new TextEncoder().encodeInto(json, content);
  let at = jsonBytes;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return { content, jsonBytes };
}
