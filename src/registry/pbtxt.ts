// Parser for the text format of Protocol Buffers, without a schema: fields keep their order and their line, and what
// they mean is the reader's business. Extension names and Any are not part of what it takes.
import { AppError } from '../error.ts';

export interface PbMessage {
  fields: PbField[];
}

export interface PbField {
  name: string;
  line: number;
  value: PbValue;
}

export type PbValue =
  | { kind: 'message'; message: PbMessage }
  | { kind: 'string'; text: string }
  | { kind: 'number'; number: number }
  /** An enum value, true, false. */
  | { kind: 'word'; text: string };

const maxDepth = 32;

interface Token {
  kind: 'word' | 'number' | 'string' | 'mark' | 'end';
  text: string;
  line: number;
}

/** @throws AppError invalid, naming the line */
export function parsePbtxt(source: string): PbMessage {
  return parseFields(new Tokens(source), 'end', 0);
}

function parseFields(tokens: Tokens, close: string, depth: number): PbMessage {
  if (depth > maxDepth) tokens.fail(`messages are nested deeper than ${maxDepth} levels`);
  const fields: PbField[] = [];
  while (!tokens.takes(close)) {
    const { text: name, line } = tokens.expect('word', 'a field name');
    const hasColon = tokens.takes(':');
    if (tokens.takes('[')) {
      parseList(tokens, depth, (value) => fields.push({ name, line, value }));
    } else {
      fields.push({ name, line, value: parseValue(tokens, depth, hasColon) });
    }
    if (!tokens.takes(',')) tokens.takes(';');
  }
  return { fields };
}

function parseList(tokens: Tokens, depth: number, add: (value: PbValue) => void): void {
  if (tokens.takes(']')) return;
  do add(parseValue(tokens, depth, true));
  while (tokens.takes(','));
  if (!tokens.takes(']')) tokens.fail("expected ',' or ']'");
}

function parseValue(tokens: Tokens, depth: number, mayBeScalar: boolean): PbValue {
  if (tokens.takes('{')) return { kind: 'message', message: parseFields(tokens, '}', depth + 1) };
  if (tokens.takes('<')) return { kind: 'message', message: parseFields(tokens, '>', depth + 1) };
  if (!mayBeScalar) tokens.fail("expected ':' or '{' after the field name");
  const negative = tokens.takes('-');
  const token = tokens.next();
  if (token.kind === 'number' || (token.kind === 'word' && /^(inf(inity)?|nan)$/i.test(token.text))) {
    const number = readNumber(token.text);
    if (number === undefined) tokens.fail(`'${token.text}' is not a number`, token.line);
    return { kind: 'number', number: negative ? -number : number };
  }
  if (negative) tokens.fail("expected a number after '-'", token.line);
  if (token.kind === 'word') return { kind: 'word', text: token.text };
  if (token.kind !== 'string') return tokens.fail(`expected a value but found ${describe(token)}`, token.line);
  let text = token.text;
  while (tokens.peek().kind === 'string') text += tokens.next().text;
  return { kind: 'string', text: unescape(text, (problem) => tokens.fail(problem, token.line)) };
}

function readNumber(text: string): number | undefined {
  if (/^inf/i.test(text)) return Infinity;
  if (/^nan$/i.test(text)) return NaN;
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  if (/^((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[+-]?\d+)?f?$/i.test(text)) return Number(text.replace(/f$/i, ''));
  return undefined;
}

const describe = (token: Token): string => (token.kind === 'end' ? 'the end of the file' : `'${token.text}'`);

/** Splits the source into tokens, one ahead of the parser. */
class Tokens {
  // Sticky and without nested repetition: each character is looked at a bounded number of times.
  readonly #pattern =
    /(?<space>(?:\s|#[^\n]*)+)|(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<number>\.?[0-9](?:[eE][+-]?|[A-Za-z0-9_.])*)|(?<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|(?<mark>[{}<>[\]:;,-])/y;
  #line = 1;
  #ahead: Token;

  constructor(private readonly source: string) {
    this.#ahead = this.#scan();
  }

  #scan(): Token {
    while (this.#pattern.lastIndex < this.source.length) {
      const from = this.#pattern.lastIndex;
      const groups = this.#pattern.exec(this.source)?.groups;
      if (!groups) return this.fail(`unexpected ${JSON.stringify(this.source.slice(from, from + 10))}`, this.#line);
      if (groups.space !== undefined) {
        this.#line += groups.space.split('\n').length - 1;
        continue;
      }
      for (const kind of ['word', 'number', 'mark'] as const) {
        const text = groups[kind];
        if (text !== undefined) return { kind, text, line: this.#line };
      }
      return { kind: 'string', text: groups.string!.slice(1, -1), line: this.#line };
    }
    return { kind: 'end', text: '', line: this.#line };
  }

  peek(): Token {
    return this.#ahead;
  }

  next(): Token {
    const token = this.#ahead;
    if (token.kind !== 'end') this.#ahead = this.#scan();
    return token;
  }

  /** Moves on if the next token is this mark, or the end of the file. */
  takes(mark: string): boolean {
    const { kind, text } = this.#ahead;
    const matches = mark === 'end' ? kind === 'end' : kind === 'mark' && text === mark;
    if (matches) this.next();
    return matches;
  }

  expect(kind: Token['kind'], what: string): Token {
    if (this.#ahead.kind !== kind) this.fail(`expected ${what} but found ${describe(this.#ahead)}`);
    return this.next();
  }

  fail(problem: string, line = this.#ahead.line): never {
    throw new AppError('invalid', `Line ${line}: ${problem}.`, 'Correct that line of the file and try again.');
  }
}

const simpleEscapes: Record<string, number> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
  '?': 63,
};

/** Escapes stand for bytes, so that "\303\244" is one letter in UTF-8. */
function unescape(text: string, fail: (problem: string) => never): string {
  if (!text.includes('\\')) return text;
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  const escape = /\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|[^\\]+/gsu;
  for (const [whole, octal, hex, short, long, simple] of text.matchAll(escape)) {
    const code = short ?? long;
    if (!whole.startsWith('\\')) {
      for (const byte of encoder.encode(whole)) bytes.push(byte);
    } else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 255);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (code !== undefined) {
      const point = Number.parseInt(code, 16);
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) fail(`${whole} is not a Unicode character`);
      for (const byte of encoder.encode(String.fromCodePoint(point))) bytes.push(byte);
    } else bytes.push(simpleEscapes[simple ?? ''] ?? fail(`unknown escape ${whole} in a string`));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return fail('the escapes in this string do not give UTF-8');
  }
}
