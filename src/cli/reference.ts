// NAME and NAME:VERSION, as commands take them, and the API's paths for them.
import { UsageError } from './command.ts';

export interface Reference {
  name: string;
  version?: number;
}

/** @throws UsageError */
export function parseReference(text: string): Reference {
  const [, name, version] = /^([^:]+)(?::([1-9]\d{0,8}))?$/.exec(text) ?? [];
  if (name) return { name, ...(version && { version: Number(version) }) };
  throw new UsageError(`'${text.slice(0, 80)}' is not NAME or NAME:VERSION.`, 'Versions are numbered from 1.');
}

export function formatReference({ name, version }: Reference): string {
  return version === undefined ? name : `${name}:${version}`;
}

/** "/models/digits/versions/2" */
export function pathOf({ name, version }: Reference): string {
  const path = `/models/${encodeURIComponent(name)}`;
  return version === undefined ? path : `${path}/versions/${version}`;
}
