// Programs that call a model, made from its own signature: curl, Python and TypeScript. Pure text; knows no HTML.
import type { Manifest, Preprocess, Signature, TensorSpec } from '../src/types.ts';

export interface Example {
  title: string;
  text: string;
}

export interface Callee {
  /** "http://HOST:PORT" */
  origin: string;
  name: string;
  manifest: Pick<Manifest, 'task' | 'preprocess'>;
  signature: Signature;
}

/** More numbers than that are not written out. */
const mostWritten = 24;

/**
 * Sizes that a request may have: a variable batch is 1, and so is every dimension that shares its name; other open
 * dimensions, which only the model's author knows, are 8.
 */
export function exampleShape({ shape, dimNames = [] }: TensorSpec, inputs: readonly TensorSpec[]): number[] {
  const batchNames = new Set(inputs.map((input) => input.shape[0] === -1 && input.dimNames?.[0]).filter(Boolean));
  return shape.map((size, axis) => {
    if (size !== -1) return size;
    return axis === 0 || batchNames.has(dimNames[axis] ?? '') ? 1 : 8;
  });
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** One element that every model may take: 1 is valid as an index, a flag and a length. */
export function exampleValue(datatype: TensorSpec['datatype']): number | boolean | string {
  if (datatype === 'BYTES') return 'text';
  if (datatype === 'BOOL') return true;
  return /^(FP|BF)/.test(datatype) ? 0.5 : 1;
}

/** These have no form in JSON. */
export function isBinaryOnly({ datatype }: TensorSpec): boolean {
  return datatype === 'FP16' || datatype === 'BF16';
}

/** With tensors, as the Open Inference Protocol has them. */
export function tensorExamples(callee: Callee): Example[] {
  const { signature } = callee;
  const isJson = !signature.inputs.some(isBinaryOnly);
  const examples = isJson ? [curlTensors(callee), pythonTensors(callee)] : [];
  return [...examples, tritonTensors(callee), ...(isJson ? [typescriptTensors(callee)] : [])];
}

/** With a picture or a row, as the model's task has them; none for a model that takes tensors alone. */
export function taskExamples(callee: Callee): Example[] {
  const { preprocess, task } = callee.manifest;
  if (task === 'tensor') return [];
  return preprocess?.kind === 'table' ? rowExamples(callee, preprocess) : pictureExamples(callee);
}

const keyHeader = 'X-API-Key: $AIMASS_KEY';
/** Of the programs that are shown; nothing here reads it. */
const keyVariable = ['process', 'env', 'AIMASS_KEY!'].join('.');

function inferUrl({ origin, name }: Callee): string {
  return `${origin}/v2/models/${name}/infer`;
}

function predictUrl({ origin, name }: Callee): string {
  return `${origin}/v1/models/${name}/predict`;
}

/** For a shell: between single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function curlTensors(callee: Callee): Example {
  const { inputs } = callee.signature;
  const isShort = inputs.every((input) => elementCount(exampleShape(input, inputs)) <= mostWritten);
  const tensors = inputs.map((input) => {
    const { name, datatype } = input;
    const shape = exampleShape(input, inputs);
    const data = isShort ? Array.from({ length: elementCount(shape) }, () => exampleValue(datatype)) : ['…'];
    return JSON.stringify({ name, shape, datatype, data }).replace(
      '["…"]',
      () => `[… ${elementCount(shape)} values …]`,
    );
  });
  const body = `{"inputs":[${tensors.join(',')}]}`;
  const lines = [
    `curl ${inferUrl(callee)} \\`,
    `  -H "${keyHeader}" -H 'Content-Type: application/json' \\`,
    isShort ? `  -d ${quoted(body)}` : '  -d @request.json',
  ];
  const note = isShort ? [] : ['# request.json:', `# ${body}`];
  return { title: 'curl', text: [...note, ...lines].join('\n') };
}

const numpyTypes: Partial<Record<TensorSpec['datatype'], string>> = {
  BOOL: 'bool_',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'object_',
};

function numpyArray(input: TensorSpec, inputs: readonly TensorSpec[]): string {
  const { datatype } = input;
  const shape = exampleShape(input, inputs);
  const size = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const type = numpyTypes[datatype] ?? datatype.toLowerCase();
  if (datatype === 'BYTES') return `np.full(${size}, "text", dtype=np.object_)`;
  return datatype === 'BF16' ? `np.zeros(${size}, dtype=np.float32)` : `np.zeros(${size}, dtype=np.${type})`;
}

const python = (text: string): string => JSON.stringify(text);

function pythonTensors(callee: Callee): Example {
  const { inputs, outputs } = callee.signature;
  const arrays = inputs.map(
    (input) => `    ${python(input.name)}: (${python(input.datatype)}, ${numpyArray(input, inputs)}),`,
  );
  const text = `import os
import numpy as np
import requests

inputs = {
${arrays.join('\n')}
}
answer = requests.post(
    ${python(inferUrl(callee))},
    headers={"X-API-Key": os.environ["AIMASS_KEY"]},
    json={"inputs": [
        {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}
        for name, (datatype, array) in inputs.items()
    ]},
)
answer.raise_for_status()
outputs = {each["name"]: np.reshape(each["data"], each["shape"]) for each in answer.json()["outputs"]}
print(outputs[${python(outputs[0]?.name ?? '')}])`;
  return { title: 'Python', text };
}

function tritonTensors(callee: Callee): Example {
  const { origin, name, signature } = callee;
  const { inputs, outputs } = signature;
  const isSecure = origin.startsWith('https:');
  const host = origin.replace(/^https?:\/\//, '');
  const set = inputs.map((input, i) => `inputs[${i}].set_data_from_numpy(${numpyArray(input, inputs)})`);
  const declared = inputs.map(
    (input) =>
      `    http.InferInput(${python(input.name)}, [${exampleShape(input, inputs).join(', ')}], ${python(input.datatype)}),`,
  );
  const text = `import os
import numpy as np
import tritonclient.http as http

client = http.InferenceServerClient(${python(host)}${isSecure ? ', ssl=True' : ''})
inputs = [
${declared.join('\n')}
]
${set.join('\n')}
result = client.infer(${python(name)}, inputs, headers={"X-API-Key": os.environ["AIMASS_KEY"]})
print(result.as_numpy(${python(outputs[0]?.name ?? '')}))`;
  return { title: 'tritonclient', text };
}

function typescriptTensors(callee: Callee): Example {
  const { inputs } = callee.signature;
  const tensors = inputs.map((input) => {
    const shape = exampleShape(input, inputs);
    const value = JSON.stringify(exampleValue(input.datatype));
    const data = `new Array(${elementCount(shape)}).fill(${value})`;
    return `      { name: ${JSON.stringify(input.name)}, shape: [${shape.join(', ')}], datatype: "${input.datatype}", data: ${data} },`;
  });
  const text = `const answer = await fetch(${JSON.stringify(inferUrl(callee))}, {
  method: "POST",
  headers: { "content-type": "application/json", "x-api-key": ${keyVariable} },
  body: JSON.stringify({
    inputs: [
${tensors.join('\n')}
    ],
  }),
});
if (!answer.ok) throw new Error(await answer.text());
const { outputs } = await answer.json();
console.log(outputs[0].shape, outputs[0].data);`;
  return { title: 'TypeScript', text };
}

function pictureExamples(callee: Callee): Example[] {
  const url = predictUrl(callee);
  const found = callee.manifest.task === 'object-detection' ? 'objects' : 'predictions';
  return [
    { title: 'curl', text: `curl ${url} \\\n  -H "${keyHeader}" --data-binary @photo.jpg` },
    {
      title: 'Python',
      text: `import os
import requests

with open("photo.jpg", "rb") as photo:
    answer = requests.post(${python(url)}, data=photo, headers={"X-API-Key": os.environ["AIMASS_KEY"]})
answer.raise_for_status()
print(answer.json()["${found}"])`,
    },
    {
      title: 'TypeScript',
      text: `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "x-api-key": ${keyVariable} },
  body: photo, // a Blob, a File or bytes
});
if (!answer.ok) throw new Error(await answer.text());
const { ${found} } = await answer.json();`,
    },
  ];
}

function rowExamples(callee: Callee, preprocess: Extract<Preprocess, { kind: 'table' }>): Example[] {
  const url = predictUrl(callee);
  const columns = preprocess.columns.slice(0, mostWritten);
  const row = Object.fromEntries(columns.map(({ name, categories }) => [name, categories?.[0] ?? 1]));
  const body = JSON.stringify({ rows: [row] });
  return [
    {
      title: 'curl',
      text: `curl ${url} \\\n  -H "${keyHeader}" -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}`,
    },
    {
      title: 'Python',
      text: `import os
import requests

answer = requests.post(
    ${python(url)},
    headers={"X-API-Key": os.environ["AIMASS_KEY"]},
    json=${body},
)
answer.raise_for_status()
print(answer.json()["predictions"])`,
    },
    {
      title: 'TypeScript',
      text: `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "content-type": "application/json", "x-api-key": ${keyVariable} },
  body: JSON.stringify(${body}),
});
if (!answer.ok) throw new Error(await answer.text());
const { predictions } = await answer.json();`,
    },
  ];
}
