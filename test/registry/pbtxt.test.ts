import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { AppError } from '../../src/error.ts';
import { parsePbtxt, type PbMessage, type PbValue } from '../../src/registry/pbtxt.ts';

type Plain = string | number | { word: string } | [string, Plain][];

const plainValue = (value: PbValue): Plain => {
  if (value.kind === 'message') return plain(value.message);
  if (value.kind === 'word') return { word: value.text };
  return value.kind === 'string' ? value.text : value.number;
};
const plain = (message: PbMessage): [string, Plain][] =>
  message.fields.map(({ name, value }) => [name, plainValue(value)]);
const parse = (source: string) => plain(parsePbtxt(source));

function problem(source: string): string {
  try {
    parsePbtxt(source);
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return 'none';
}

describe('what it takes', () => {
  test.each([
    ['', []],
    ['# only a comment', []],
    [
      'a: 1 b: -2 c: 0x1F d: 017 e: 1.5e3 f: .5f g: -inf',
      [
        ['a', 1],
        ['b', -2],
        ['c', 31],
        ['d', 15],
        ['e', 1500],
        ['f', 0.5],
        ['g', -Infinity],
      ],
    ],
    [
      'a: KIND_CPU, b: true; c: FALSE',
      [
        ['a', { word: 'KIND_CPU' }],
        ['b', { word: 'true' }],
        ['c', { word: 'FALSE' }],
      ],
    ],
    [
      'a { b: 1 } c: { } d < e: 2 >',
      [
        ['a', [['b', 1]]],
        ['c', []],
        ['d', [['e', 2]]],
      ],
    ],
    [
      'dims: [ 1, -1, 3 ] dims: 4 none: []',
      [
        ['dims', 1],
        ['dims', -1],
        ['dims', 3],
        ['dims', 4],
      ],
    ],
    [
      'in [ { a: 1 }, { a: 2 } ]',
      [
        ['in', [['a', 1]]],
        ['in', [['a', 2]]],
      ],
    ],
    [
      's: "a" \'b\'\n  "c" t: "#\\x41\\101\\n\\"\\u00e4\\303\\244"',
      [
        ['s', 'abc'],
        ['t', '#AA\n"ää'],
      ],
    ],
    [
      's: \'it"s\' u: "\\U0001F600"',
      [
        ['s', 'it"s'],
        ['u', '😀'],
      ],
    ],
    [
      'a:1#x\nb:2',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
  ] as [string, Plain][])('%p', (source, expected) => {
    expect(parse(source)).toEqual(expected as [string, Plain][]);
  });
});

describe('what it refuses, by line', () => {
  test.each([
    ['a: 1\nb', 2, 'expected'],
    ['a: "x\ny"', 1, 'unexpected'],
    ['a {\n b: 1\n', 3, 'end of the file'],
    ['a: [1 2]', 1, "',' or ']'"],
    ['a: [1, 2', 1, "',' or ']'"],
    ['\n\na: 09', 3, "'09' is not a number"],
    ['a: 1.2.3', 1, 'not a number'],
    ['a: - "x"', 1, "after '-'"],
    ['a 1', 1, "':' or '{'"],
    ['}', 1, 'a field name'],
    ['a { b: 1 >', 1, 'a field name'],
    ['a: "\\q"', 1, 'escape'],
    ['a: "\\377"', 1, 'UTF-8'],
    ['a: "\\ud800"', 1, 'Unicode'],
    ['a: @', 1, 'unexpected'],
    ['[ext.name]: 1', 1, 'a field name'],
    ['a{'.repeat(100), 1, 'nested'],
  ] as [string, number, string][])('%p', (source, line, what) => {
    const message = problem(source);
    expect(message).toStartWith(`Line ${line}: `);
    expect(message).toContain(what);
  });
});

const nameOf = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
const word = nameOf.filter((text) => !/^(inf|infinity|nan)$/i.test(text));

const { message: messages } = fc.letrec<{ message: [string, Plain][]; value: Plain }>((tie) => ({
  message: fc.array(fc.tuple(nameOf, tie('value')), { maxLength: 4 }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.oneof(fc.integer(), fc.double({ noNaN: true })),
    word.map((text) => ({ word: text })),
    tie('message'),
  ),
}));

function print(value: Plain): string {
  if (typeof value === 'string') {
    const bytes = [...Buffer.from(value)];
    return `"${bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}"`;
  }
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf';
  if (!Array.isArray(value)) return value.word;
  return `{ ${value.map(([name, inner]) => `${name}: ${print(inner)}`).join(' # x\n')} }`;
}

test('whatever is written comes back', () => {
  fc.assert(
    fc.property(messages, (message) => {
      expect(parse(`top: ${print(message)}`)).toEqual([['top', message]]);
    }),
  );
});

test('any text is either read or refused with a line', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '<',
    '>',
    ':',
    ',',
    ';',
    '-',
    '"',
    "'",
    '\\',
    '#',
    '\n',
    ' ',
    'a',
    '1',
    '.',
    'e',
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: piece }), fc.string({ unit: 'binary' })), (source) => {
      expect(problem(source)).toMatch(/^none$|^Line \d+: /);
    }),
  );
});

test('long input ends in reasonable time, which is the limit of the test', () => {
  for (const piece of ['a: ', '"', '# \n', '-', '1', '\\"', 'a {', ' ']) {
    expect(problem(`x: "${piece.repeat(200_000)}` + piece.repeat(200_000))).toStartWith('Line ');
  }
});
