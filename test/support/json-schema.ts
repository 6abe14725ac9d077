// Whether an answer has the shape that the OpenAPI document describes: the part of JSON Schema that the document uses.
import type { ApiDocument, JsonSchema } from '../../src/http/openapi.ts';

export function resolve(document: ApiDocument, reference: string): unknown {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}

/** @returns what does not fit, by path */
export function complaints(document: ApiDocument, value: unknown, schema: JsonSchema, at = '$'): string[] {
  if (typeof schema.$ref === 'string') {
    return complaints(document, value, resolve(document, schema.$ref) as JsonSchema, at);
  }
  if (Array.isArray(schema.enum)) return schema.enum.includes(value) ? [] : [`${at} is ${String(value)}`];
  const types = [schema.type].flat().filter((type) => typeof type === 'string');
  if (types.length > 0 && !types.some((type) => hasType(value, type))) return [`${at} is no ${types.join('/')}`];
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => complaints(document, item, (schema.items ?? {}) as JsonSchema, `${at}[${i}]`));
  }
  if (typeof value !== 'object' || value === null) return [];
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  const missing = ((schema.required ?? []) as string[]).filter((name) => !(name in value));
  const inside = Object.entries(value).flatMap(([name, inner]) => {
    if (properties[name]) return complaints(document, inner, properties[name], `${at}.${name}`);
    // Shapes without listed properties are open; in others everything is described.
    return Object.keys(properties).length > 0 ? [`${at}.${name} is not described`] : [];
  });
  return [...missing.map((name) => `${at}.${name} is missing`), ...inside];
}

function hasType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
