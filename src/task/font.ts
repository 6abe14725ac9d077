// A bitmap alphabet for labels on pictures: capital letters, digits and a few signs, five columns by seven rows.

export const glyphWidth = 5;
export const glyphHeight = 7;

/** Each glyph is seven rows, top first, of five bits written as two hexadecimal digits; the highest bit is left. */
const glyphs: Record<string, string> = {
  ' ': '00000000000000',
  A: '0e11111f111111',
  B: '1e11111e11111e',
  C: '0e11101010110e',
  D: '1e11111111111e',
  E: '1f10101e10101f',
  F: '1f10101e101010',
  G: '0e11101713110f',
  H: '1111111f111111',
  I: '0e04040404040e',
  J: '0702020202120c',
  K: '11121418141211',
  L: '1010101010101f',
  M: '111b1515111111',
  N: '11191915131311',
  O: '0e11111111110e',
  P: '1e11111e101010',
  Q: '0e11111115120d',
  R: '1e11111e141211',
  S: '0f10100e01011e',
  T: '1f040404040404',
  U: '1111111111110e',
  V: '11111111110a04',
  W: '11111115151b11',
  X: '11110a040a1111',
  Y: '11110a04040404',
  Z: '1f01020408101f',
  '0': '0e11131519110e',
  '1': '040c040404040e',
  '2': '0e11010204081f',
  '3': '1f02040201110e',
  '4': '02060a121f0202',
  '5': '1f101e0101110e',
  '6': '0608101e11110e',
  '7': '1f010204080808',
  '8': '0e11110e11110e',
  '9': '0e11110f01020c',
  '%': '18190204081303',
  '.': '00000000000c0c',
  ',': '0000000c0c0408',
  ':': '000c0c000c0c00',
  '-': '0000001f000000',
  '+': '0004041f040400',
  '/': '00010204081000',
  '(': '02040808080402',
  ')': '08040202020408',
  '?': '0e110102040004',
};

/** Calls `plot` for each dark dot of the text; letters are six columns apart. What the alphabet lacks becomes "?". */
export function drawText(text: string, plot: (column: number, row: number) => void): void {
  for (const [i, character] of Array.from(text.toUpperCase()).entries()) {
    const glyph = glyphs[character] ?? glyphs['?']!;
    for (let row = 0; row < glyphHeight; row++) {
      const bits = Number.parseInt(glyph.slice(row * 2, row * 2 + 2), 16);
      for (let column = 0; column < glyphWidth; column++) {
        if (bits & (1 << (glyphWidth - 1 - column))) plot(i * (glyphWidth + 1) + column, row);
      }
    }
  }
}

/** Columns that a text takes. */
export function textWidth(text: string): number {
  return Array.from(text).length * (glyphWidth + 1) - 1;
}
