// Prints float32 numbers as the shortest decimal text that reads back to the same float32, many at a time.
// Method: round to 8 significant decimals in double arithmetic and ask whether that still rounds to the same float32;
// then to 7 and 6, or 9 if not. Every float32 is told apart by 9 digits, and below 6 only trailing zeros are left.

/** Exact in a double up to 10^22. */
const tens = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** For each biased exponent: decimal exponent of its smallest number, and the power of ten that may lie inside. */
const decades = new Int8Array(255);
const nextTen = new Float64Array(255);
for (let e = 1; e < 255; e++) {
  const lowest = 2 ** (e - 127);
  decades[e] = Number(lowest.toExponential().split('e')[1]);
  nextTen[e] = Number(`1e${decades[e]! + 1}`);
}

const powersOfTwo: string[] = [];
const bits = new Uint32Array(1);
const bitsAsFloat = new Float32Array(bits.buffer);

/** "00" to "99". */
const pairs = Buffer.from(Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''));

const chunk = 4096;
/** Sign, "0.0000", 9 digits, point, "e-45" and the comma fit several times over. */
const longestText = 24;
const scratch = Buffer.allocUnsafe(chunk * longestText);
let end = 0;

/**
 * The numbers, separated by commas.
 * @returns undefined when one of them is NaN or infinite
 */
export function joinFloats(values: Float32Array): string | undefined {
  let text = '';
  for (let start = 0; start < values.length; start += chunk) {
    end = 0;
    const stop = Math.min(start + chunk, values.length);
    for (let i = start; i < stop; i++) {
      if (!append(values[i]!)) return undefined;
      scratch[end++] = 44;
    }
    if (stop === values.length) end--;
    text += scratch.toString('latin1', 0, end);
  }
  return text;
}

function append(value: number): boolean {
  bitsAsFloat[0] = value;
  const word = bits[0]!;
  const exponent = (word >>> 23) & 255;
  if (exponent === 255) return false;
  if (word >>> 31) scratch[end++] = 45;
  const size = Math.abs(value);
  if (size < 16777216 && size === Math.trunc(size)) {
    // "-0.0": readers that see "-0" take it for an integer and lose the sign.
    if (size === 0 && word !== 0) appendText('0.0');
    else appendDecimal(size, 0);
  } else if (exponent === 0) {
    appendText(searchShortest(size, 1));
  } else if ((word & 0x7fffff) === 0) {
    appendText((powersOfTwo[exponent] ??= searchShortest(size, 1)));
  } else {
    appendRounded(size, exponent);
  }
  return true;
}

function appendRounded(size: number, exponent: number): void {
  const decade = decades[exponent]! + (size >= nextTen[exponent]! ? 1 : 0);
  if (decade < -14 || decade > 27) {
    appendText(searchShortest(size, 6));
    return;
  }
  let decimals = 7 - decade;
  let digits = scale(size, decimals);
  if (!readsBack(digits, decimals, size)) {
    decimals++;
    digits = scale(size, decimals);
  } else {
    for (let shorter = 0; shorter < 2; shorter++) {
      const fewer = scale(size, decimals - 1);
      if (!readsBack(fewer, decimals - 1, size)) break;
      digits = fewer;
      decimals--;
    }
  }
  appendDecimal(digits, decimals);
}

function scale(size: number, decimals: number): number {
  return ((decimals >= 0 ? size * tens[decimals]! : size / tens[-decimals]!) + 0.5) | 0;
}

/** digits · 10^−decimals is one exact operation on exact numbers, so it is the double that a JSON reader sees. */
function readsBack(digits: number, decimals: number, size: number): boolean {
  return Math.fround(decimals >= 0 ? digits / tens[decimals]! : digits * tens[-decimals]!) === size;
}

/** Writes digits · 10^−decimals. @param digits an integer below 2^31 */
function appendDecimal(digits: number, decimals: number): void {
  for (let rest = (digits * 0.1) | 0; rest * 10 === digits && digits > 0; rest = (digits * 0.1) | 0) {
    digits = rest;
    decimals--;
  }
  let count = digits < 1_000_000 ? 1 : 7;
  while (digits >= tens[count]!) count++;
  const point = count - decimals;
  if (point > 16 || point < -5) {
    appendText(`${digits / tens[count - 1]!}e${point - 1}`);
  } else if (decimals <= 0) {
    appendDigits(digits, count);
    for (let i = decimals; i < 0; i++) scratch[end++] = 48;
  } else if (point > 0) {
    const whole = (digits / tens[decimals]!) | 0;
    appendDigits(whole, point);
    scratch[end++] = 46;
    appendDigits(digits - whole * tens[decimals]!, decimals);
  } else {
    scratch[end++] = 48;
    scratch[end++] = 46;
    appendDigits(digits, decimals);
  }
}

/** @param count digits to write, leading zeros included */
function appendDigits(digits: number, count: number): void {
  let at = end + count;
  // Two at a time, and a product instead of a quotient: both constants are a little above 1/100 and 1/10, so that below 2^31
  // it is cut off to the same integer.
  while (at - end >= 2) {
    const rest = (digits * 0.01) | 0;
    const pair = (digits - rest * 100) << 1;
    digits = rest;
    scratch[--at] = pairs[pair + 1]!;
    scratch[--at] = pairs[pair]!;
  }
  if (at > end) scratch[end] = 48 + digits;
  end += count;
}

function appendText(text: string): void {
  end += scratch.write(text, end, 'latin1');
}

/**
 * Any positive float32, slowly. Below a power of two the floats lie closer together than above it, so there the
 * nearest decimal may miss where the next one up still reads back.
 * @param fewest digits to begin with
 */
function searchShortest(size: number, fewest: number): string {
  for (let precision = fewest; precision <= 9; precision++) {
    const [mantissa, exponent] = size.toExponential(precision - 1).split('e') as [string, string];
    const digits = Number(mantissa.replace('.', ''));
    for (const candidate of [digits, digits + 1]) {
      const decimal = Number(`${candidate}e${Number(exponent) - precision + 1}`);
      if (Math.fround(decimal) === size) return String(decimal);
    }
  }
  return String(size);
}
