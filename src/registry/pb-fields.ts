// Reads parsed protobuf text by field name: typed, with unknown names refused by line.
import { AppError } from '../error.ts';
import { suggest } from './fields.ts';
import type { PbField, PbMessage } from './pbtxt.ts';

export class PbFields {
  readonly #byName = new Map<string, PbField[]>();

  /** @param known every field that the message may have */
  constructor(message: PbMessage, known: readonly string[]) {
    for (const field of message.fields) {
      if (!known.includes(field.name)) {
        failField(field, 'is unknown here', suggest(field.name, known));
      }
      const same = this.#byName.get(field.name);
      if (same) same.push(field);
      else this.#byName.set(field.name, [field]);
    }
  }

  all(name: string): PbField[] {
    return this.#byName.get(name) ?? [];
  }

  /** The last one given counts, as in every protobuf reader. */
  last(name: string): PbField | undefined {
    return this.all(name).at(-1);
  }

  text(name: string): string | undefined {
    const field = this.last(name);
    return field && textOf(field);
  }

  integer(name: string): number | undefined {
    const field = this.last(name);
    return field && integerOf(field);
  }

  flag(name: string): boolean | undefined {
    const field = this.last(name);
    return field && flagOf(field);
  }

  messages(name: string): PbMessage[] {
    return this.all(name).map(messageOf);
  }

  message(name: string): PbMessage | undefined {
    return this.messages(name).at(-1);
  }
}

export function failField({ name, line }: PbField, problem: string, hint: string): never {
  throw new AppError('invalid', `Line ${line}: '${name}' ${problem}.`, hint);
}

export function textOf(field: PbField): string {
  if (field.value.kind === 'string') return field.value.text;
  return failField(field, 'must be a text in quotes', 'Put the value in double quotes.');
}

export function wordOf(field: PbField): string {
  if (field.value.kind === 'word') return field.value.text;
  return failField(field, 'must be a name without quotes', 'Write the value in capitals, without quotes.');
}

export function integerOf(field: PbField): number {
  if (field.value.kind === 'number' && Number.isSafeInteger(field.value.number)) return field.value.number;
  return failField(field, 'must be a whole number', 'Write it in digits, without quotes.');
}

function flagOf(field: PbField): boolean {
  const { value } = field;
  if (value.kind === 'word' && /^(true|True|t)$/.test(value.text)) return true;
  if (value.kind === 'word' && /^(false|False|f)$/.test(value.text)) return false;
  if (value.kind === 'number' && (value.number === 0 || value.number === 1)) return value.number === 1;
  return failField(field, 'must be true or false', 'Write true or false, without quotes.');
}

function messageOf(field: PbField): PbMessage {
  if (field.value.kind === 'message') return field.value.message;
  return failField(field, 'must be a group in braces', `Write it as '${field.name} { … }'.`);
}
