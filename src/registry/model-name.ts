// Which names models may have: they stand in URLs and in folder names.
import { AppError } from '../error.ts';

/** @returns the name. @throws AppError invalid */
export function checkModelName(name: string): string {
  // PROTOCOL: /v2/models/stats is a route of its own.
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name) && name !== 'stats') return name;
  throw new AppError(
    'invalid',
    `A model cannot be called ${JSON.stringify(name.slice(0, 140))}.`,
    "Use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit; 'stats' is taken.",
  );
}
