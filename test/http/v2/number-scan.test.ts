// What is taken out of the bytes of a request must be exactly what JSON.parse finds there.
import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { findTaken, takeNumbers } from '../../../src/http/v2/number-scan.ts';

const padding = ' '.repeat(600);
const encode = (text: string) => new TextEncoder().encode(text);

/** Parses as the decoder does, and puts the arrays back where they were. */
function parseWithScan(text: string): { value: unknown; taken: number } {
  const { text: rest, arrays } = takeNumbers(encode(text));
  const value: unknown = JSON.parse(new TextDecoder().decode(rest), (_, each: unknown) => {
    const found = findTaken(arrays, each);
    return found ? found.toArray() : each;
  });
  return { value, taken: arrays.length };
}

const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.tuple(fc.integer(), fc.nat(999_999), fc.integer({ min: -30, max: 30 })).map(([a, b, e]) => `${a}.${b}e${e}`),
  fc.tuple(fc.nat(99), fc.nat(99_999)).map(([a, b]) => `-${a}.${String(b).padStart(5, '0')}`),
  fc.constantFrom('0', '-0', '0.0', '-0.0', '1E5', '1e+5', '1e-5', '123456789012345', '999999999', '1000000000'),
  fc.constantFrom('0.1', '9007199254740993', '1e22', '1e23', '1e-22', '1e-23', '4.9e-324', '1.7976931348623157e308'),
  fc.constantFrom('1e4294967297', '1e-4294967297', '0e18446744073709551617', '5E00000000000000000001'),
);
const space = fc.constantFrom('', '', ' ', '\n', '\t \r');

test('every array of numbers reads as JSON.parse reads it, to the last bit', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(space, numberText, space), { minLength: 1 }), space, (parts, gap) => {
      const list = parts.map((part) => part.join('')).join(',');
      const text = `{"inputs":[{"name":"x"${padding},"data"${gap}:${gap}[${list}]}]}`;
      expect(parseWithScan(text).value).toEqual(JSON.parse(text));
    }),
    { numRuns: 3000 },
  );
});

test('short numbers are taken, whatever stands around them', () => {
  const text = `{"id":"\\"data\\":[1]","inputs":[{"data":[1,2.5],"n":"d"},{"data":[-3e2]},{"data":["data"]}],"x":1${padding}}`;
  expect(parseWithScan(text)).toEqual({ value: JSON.parse(text), taken: 2 });
});

test('an input that is called "data" does not keep the numbers from being taken', () => {
  for (const gap of ['', ' ']) {
    const text = `{"inputs":[{"name":"data"${gap},"data":[1,2.5]},{"data"${gap}:[3],"name":"data"}${gap}]${padding}}`;
    expect(parseWithScan(text)).toEqual({ value: JSON.parse(text), taken: 2 });
  }
});

test('an array longer than the scratch space', () => {
  const values = Array.from({ length: 20_000 }, (_, i) => i / 8);
  const text = `{"data":[0.5,0.25],"inputs":[{"data":${JSON.stringify(values)}}]}`;
  expect(parseWithScan(text)).toEqual({ value: JSON.parse(text), taken: 2 });
});

test('what is not JSON stays for JSON.parse to refuse', () => {
  const broken = [
    '01',
    '1.',
    '.5',
    '-',
    '+1',
    '1e',
    '1e+',
    '0x1',
    '1 2',
    '1,',
    '1,,2',
    '--1',
    'NaN',
    '1]',
    '1\u00a0',
    '',
  ];
  for (const list of broken) {
    for (const end of [`]}${padding}`, padding, '']) {
      const text = `${padding}{"data":[5,${list}${end}`;
      expect(() => parseWithScan(text)).toThrow();
    }
  }
});

test('nobody outside can pass a string off as an array', () => {
  const { arrays } = takeNumbers(encode(`{"data":[1]${padding}}`));
  for (const guess of ['numbers 0', '0', '\u0000numbers 0']) expect(findTaken(arrays, guess)).toBeUndefined();
});
