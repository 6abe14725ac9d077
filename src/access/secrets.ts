// Random texts that open something, and the only form in which they are kept. Knows nothing of what they open.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** @returns 256 random bits in 43 characters of base64url */
export function makeToken(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 in hexadecimal. Enough for random secrets; passwords need more. */
export function hashSecret(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compares two hashes in a time that does not tell where they differ. */
export function isSameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** @returns letters and digits alone (5.95 bits each), so that a double click selects it whole */
export function makeLetters(length: number): string {
  let text = '';
  while (text.length < length) {
    // From 248 on the first letters would be likelier than the others.
    for (const byte of randomBytes(length)) if (byte < 248) text += alphabet[byte % 62];
  }
  return text.slice(0, length);
}
