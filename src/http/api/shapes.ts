// The pieces that descriptions of answers are made of, in JSON Schema (2020-12).

export const text = { type: 'string' };
export const count = { type: 'integer', minimum: 0 };
export const flag = { type: 'boolean' };
export const time = { type: 'string', format: 'date-time' };
export const deviceKind = { enum: ['cuda', 'rocm', 'webgpu', 'cpu'] };
export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
export const list = (items: object) => ({ type: 'array', items });

/** An object whose properties are all required but those whose names end in "?". */
export function object(properties: Record<string, object>, description?: string) {
  const names = Object.keys(properties);
  return {
    type: 'object',
    ...(description && { description }),
    required: names.filter((name) => !name.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), properties[name]!])),
  };
}
