// Takes flat arrays of numbers under "data" keys out of JSON bytes, without making text or a JavaScript array of them.
// A tensor is nearly all of a request, and JSON.parse spends most of a small model's time on it. What it does not take
// it leaves as it is, to be parsed, and refused, by JSON.parse.

/** Stands for the n-th array that was taken out; nobody outside can know it. */
const mark = `numbers ${crypto.randomUUID()} `;

/** The numbers of one array; valid until the next call of takeNumbers. */
export class ScannedNumbers {
  /** Where they lie in the scratch space. */
  constructor(
    private readonly from: number,
    private readonly to: number,
  ) {}

  get count(): number {
    return this.to - this.from;
  }

  copyTo(target: Float32Array): void {
    const values = scratch;
    for (let i = this.from; i < this.to; i++) target[i - this.from] = values[i]!;
  }

  toArray(): number[] {
    return Array.from(scratch.subarray(this.from, this.to));
  }
}

export interface Scan {
  /** JSON with a string in the place of each array that was taken out. */
  text: Uint8Array;
  arrays: ScannedNumbers[];
}

/** Below this JSON.parse is as fast. */
const worthwhileBytes = 512;
/** No model has more inputs worth the trouble. */
const mostArrays = 64;
/** Scratch space of more than this is not kept. */
const keptNumbers = 1 << 20;
/** More digits than a double holds exactly are left to JSON.parse, which is faster than parsing them one by one. */
const mostDigits = 15;
const powers = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

let scratch: Float64Array = new Float64Array(4096);

/** @param json UTF-8, not checked */
export function takeNumbers(json: Uint8Array): Scan {
  const arrays: ScannedNumbers[] = [];
  if (json.length < worthwhileBytes || !endsWithBrace(json)) return { text: json, arrays };
  const parts: Uint8Array[] = [];
  let kept = 0;
  let used = 0;
  if (scratch.length > keptNumbers) scratch = new Float64Array(4096);
  for (let at = findQuote(json, 0); at < json.length; at = findQuote(json, at)) {
    const end = endOfString(json, at + 1);
    const start = end < 0 ? -1 : isDataKey(json, at) ? findArray(json, end) : 0;
    // Broken text, or data of another kind: JSON.parse does the rest.
    if (start < 0 || arrays.length === mostArrays) break;
    at = end;
    if (start === 0) continue;
    used = scanNumbers(json, start, used);
    if (used < 0) break;
    parts.push(json.subarray(kept, start - 1), placeholder(arrays.length));
    arrays.push(new ScannedNumbers(scannedFrom, used));
    kept = scannedTo;
    at = scannedTo;
  }
  if (arrays.length === 0) return { text: json, arrays };
  parts.push(json.subarray(kept));
  return { text: Buffer.concat(parts), arrays };
}

/** Scanning stops at the brace at the latest: so that the loops need not ask for the end of the text at each byte. */
function endsWithBrace(json: Uint8Array): boolean {
  let last = json.length - 1;
  while (isSpace(json[last]!)) last--;
  return json[last] === 0x7d;
}

/** The array that a value of the parsed text stands for; undefined if it is what the client sent. */
export function findTaken(arrays: readonly ScannedNumbers[], value: unknown): ScannedNumbers | undefined {
  if (typeof value !== 'string' || !value.startsWith(mark)) return undefined;
  return arrays[Number(value.slice(mark.length))];
}

const quote = 0x22;
const backslash = 0x5c;
const [comma, bracket, minus, plus, point, zero] = [0x2c, 0x5d, 0x2d, 0x2b, 0x2e, 0x30];
/** What they become in the arithmetic that makes 0…9 of digits. */
const [commaDigit, pointDigit] = [comma ^ zero, point ^ zero];

const placeholders: Uint8Array[] = [];

function placeholder(index: number): Uint8Array {
  return (placeholders[index] ??= Buffer.from(`"${mark}${index}"`));
}

/** Quotes are close to each other, where a loop is faster than indexOf(). @returns the length if there is none */
function findQuote(json: Uint8Array, from: number): number {
  let at = from;
  while (at < json.length && json[at] !== quote) at++;
  return at;
}

/** @returns position behind the closing quote; −1 if there is none */
function endOfString(json: Uint8Array, from: number): number {
  let at = from;
  while (at < json.length) {
    const byte = json[at]!;
    if (byte === quote) return at + 1;
    at += byte === backslash ? 2 : 1;
  }
  return -1;
}

function isDataKey(json: Uint8Array, at: number): boolean {
  return (
    json[at + 1] === 0x64 &&
    json[at + 2] === 0x61 &&
    json[at + 3] === 0x74 &&
    json[at + 4] === 0x61 &&
    json[at + 5] === quote
  );
}

/**
 * @param from behind the string "data"
 * @returns position behind the opening bracket; 0 if the string is no key; −1 if it is, but of no array of numbers
 */
function findArray(json: Uint8Array, from: number): number {
  let at = skipSpace(json, from);
  if (json[at] !== 0x3a) return 0;
  at = skipSpace(json, at + 1);
  if (json[at] !== 0x5b) return -1;
  const first = json[skipSpace(json, at + 1)]!;
  return first === minus || isDigit(first) ? at + 1 : -1;
}

function skipSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(json[at]!)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}

/** Where the last scan began in the scratch space and ended in the text: out parameters, so that nothing is allocated. */
let scannedFrom = 0;
let scannedTo = 0;

/**
 * Reads numbers up to the closing bracket, by JSON's grammar, into the scratch space from `used` on. Digits are gathered
 * in an integer, which a double holds exactly, and divided or multiplied once by a power of ten, which it holds too: so
 * the result is correctly rounded (Clinger 1990, the fast path).
 * @returns how much of the scratch space is used now; −1 when something is left to JSON.parse
 */
function scanNumbers(json: Uint8Array, start: number, used: number): number {
  scannedFrom = used;
  let values = scratch;
  let count = used;
  let at = start;
  for (;;) {
    let digit = json[at]! ^ zero;
    let negative = false;
    if (digit > 9) {
      at = skipSpace(json, at);
      negative = json[at] === minus;
      if (negative) at++;
      digit = json[at]! ^ zero;
      if (digit > 9) return -1;
    }
    const first = at;
    // 32-bit arithmetic, which wraps: numbers of more than nine digits are read again below.
    let mantissa = digit;
    digit = json[++at]! ^ zero;
    if (digit < 10) {
      // JSON has no numbers with leading zeros.
      if (mantissa === 0) return -1;
      do {
        mantissa = (Math.imul(mantissa, 10) + digit) | 0;
        digit = json[++at]! ^ zero;
      } while (digit < 10);
    }
    let digits = at - first;
    // Counted upwards: to negate an integer that may be 0 makes a double of it.
    let decimals = 0;
    if (digit === pointDigit) {
      const fraction = ++at;
      digit = json[at]! ^ zero;
      if (digit > 9) return -1;
      mantissa = (Math.imul(mantissa, 10) + digit) | 0;
      digit = json[++at]! ^ zero;
      // The first rounds of the loop written out: of short numbers that is an eighth of the time.
      if (digit < 10) {
        mantissa = (Math.imul(mantissa, 10) + digit) | 0;
        digit = json[++at]! ^ zero;
        while (digit < 10) {
          mantissa = (Math.imul(mantissa, 10) + digit) | 0;
          digit = json[++at]! ^ zero;
        }
      }
      decimals = at - fraction;
      digits += decimals;
    }
    if (digits > 9) {
      if (digits > mostDigits) return -1;
      mantissa = wideMantissa(json, first, at);
    }
    if (digit !== commaDigit) {
      if ((json[at]! | 0x20) === 0x65) {
        decimals -= readExponent(json, at + 1);
        at = exponentEnd;
        if (decimals < -22 || decimals > 22) return -1;
      }
      at = skipSpace(json, at);
    }
    const size = decimals >= 0 ? mantissa / powers[decimals]! : mantissa * powers[-decimals]!;
    if (count === values.length) values = growScratch();
    values[count++] = negative ? -size : size;
    if (json[at] !== comma) break;
    at++;
  }
  if (json[at] !== bracket) return -1;
  scannedTo = at + 1;
  return count;
}

/** The digits from `first` to `end`, without the point, as one integer below 10^15. */
function wideMantissa(json: Uint8Array, first: number, end: number): number {
  let mantissa = 0;
  for (let at = first; at < end; at++) {
    if (json[at] !== point) mantissa = mantissa * 10 + (json[at]! - zero);
  }
  return mantissa;
}

let exponentEnd = 0;
/** Any exponent that is left to JSON.parse. An integer like the others: with NaN all exponents would be doubles. */
const anotherExponent = 999;

/** @param from behind the "e" @returns anotherExponent if no digits follow; where it ends is left in exponentEnd */
function readExponent(json: Uint8Array, from: number): number {
  const signed = json[from] === minus || json[from] === plus;
  let at = signed ? from + 1 : from;
  let value = isDigit(json[at]!) ? 0 : anotherExponent;
  for (; isDigit(json[at]!); at++) value = Math.min(value * 10 + (json[at]! - zero), anotherExponent);
  exponentEnd = at;
  return json[from] === minus ? -value : value;
}

function growScratch(): Float64Array {
  const larger = new Float64Array(scratch.length * 2);
  larger.set(scratch);
  scratch = larger;
  return larger;
}
