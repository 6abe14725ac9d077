// Reads untrusted JSON-like values field by field; every error names the field's path and the nearest allowed value.
import { AppError } from '../error.ts';
import { findNearest } from '../setting-text.ts';

export class Field {
  constructor(
    readonly value: unknown,
    readonly path: string,
    /** The whole that a person sends: paths within it do not begin with its name. */
    private readonly isWhole = path === 'manifest',
  ) {}

  get isPresent(): boolean {
    return this.value !== undefined;
  }

  /** @param problem completes the sentence that begins with the path */
  fail(problem: string, hint?: string): never {
    throw new AppError('invalid', `${this.path} ${problem}.`, hint ?? 'Correct the field and try again.');
  }

  #mismatch(expected: string, hint?: string): never {
    this.fail(
      this.isPresent ? `must be ${expected}, not ${show(this.value)}` : `is missing; it must be ${expected}`,
      hint,
    );
  }

  /** One field for each key, whether it is there or not; any other key is an error. */
  object<K extends string>(keys: readonly K[]): Record<K, Field> {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.#mismatch('an object');
    for (const key of Object.keys(value)) {
      if (!(keys as readonly string[]).includes(key)) {
        this.fail(`has no field ${show(key)}`, suggest(key, keys));
      }
    }
    const prefix = this.isWhole ? '' : `${this.path}.`;
    const fields = keys.map((key) => [key, new Field((value as Record<string, unknown>)[key], prefix + key)] as const);
    return Object.fromEntries(fields) as Record<K, Field>;
  }

  list<T>(maxItems: number, read: (item: Field) => T): T[] {
    const { value } = this;
    if (!Array.isArray(value)) this.#mismatch('a list');
    if (value.length > maxItems) this.fail(`has ${value.length} items; at most ${maxItems} are allowed`);
    return value.map((item, index) => read(new Field(item, `${this.path}[${index}]`)));
  }

  text(maxLength = 1000): string {
    const { value } = this;
    if (typeof value !== 'string') this.#mismatch('a text');
    if (value.length > maxLength) this.fail(`has ${value.length} characters; at most ${maxLength} are allowed`);
    return value;
  }

  flag(): boolean {
    if (typeof this.value !== 'boolean') this.#mismatch('true or false');
    return this.value;
  }

  number(min = -Number.MAX_VALUE, max = Number.MAX_VALUE): number {
    const { value } = this;
    const expected = min === -Number.MAX_VALUE ? 'a number' : `a number from ${min} to ${max}`;
    if (typeof value !== 'number' || Number.isNaN(value)) this.#mismatch(expected);
    if (value < min || value > max) this.#mismatch(expected, nearestIs(value < min ? min : max));
    return value;
  }

  integer(min: number, max: number): number {
    const { value } = this;
    const expected = `a whole number from ${min} to ${max}`;
    if (typeof value !== 'number' || Number.isNaN(value)) this.#mismatch(expected);
    const nearest = Math.min(Math.max(Math.round(value), min), max);
    if (value !== nearest) this.#mismatch(expected, nearestIs(nearest));
    return value;
  }

  oneOf<const T extends string>(choices: readonly T[]): T {
    const { value } = this;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    return this.#mismatch(
      `one of ${choices.join(', ')}`,
      typeof value === 'string' ? suggest(value, choices) : undefined,
    );
  }

  /** Reads the field if it is there. */
  or<T, F>(fallback: F, read: (field: Field) => T): T | F {
    return this.isPresent ? read(this) : fallback;
  }
}

const nearestIs = (value: number): string => `The nearest allowed value is ${value}.`;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A hint for a word that is none of `known`: the one it is most like, or else what there is. */
export function suggest(word: string, known: readonly string[]): string {
  const nearest = findNearest(word, known);
  if (nearest !== undefined) return `Did you mean '${nearest}'?`;
  return `Possible: ${known.slice(0, 20).join(', ')}${known.length > 20 ? ', …' : ''}.`;
}
