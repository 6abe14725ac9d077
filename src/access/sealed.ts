// Data that a browser keeps for us and can neither read nor change: encrypted with a key that lives as long as this
// process does. Knows nothing of cookies.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const longestText = 4096;

export class Seal<T> {
  readonly #key = randomBytes(32);

  constructor(private readonly now: () => number = Date.now) {}

  /** @param value plain data. @returns base64url, that `open` takes for `lifeMs` */
  close(value: T, lifeMs: number): string {
    const nonce = randomBytes(nonceBytes);
    const encryption = createCipheriv(cipher, this.#key, nonce);
    const text = JSON.stringify({ value, untilMs: this.now() + lifeMs });
    const hidden = Buffer.concat([encryption.update(text), encryption.final()]);
    return Buffer.concat([nonce, encryption.getAuthTag(), hidden]).toString('base64url');
  }

  /** @returns undefined when it is too old, or was not sealed here */
  open(text: string): T | undefined {
    if (text.length > longestText) return undefined;
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < nonceBytes + tagBytes) return undefined;
    try {
      const decryption = createDecipheriv(cipher, this.#key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decryption.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
      const hidden = bytes.subarray(nonceBytes + tagBytes);
      const opened = Buffer.concat([decryption.update(hidden), decryption.final()]).toString();
      const { value, untilMs } = JSON.parse(opened) as { value: T; untilMs: number };
      return this.now() < untilMs ? value : undefined;
    } catch {
      // What was changed does not decrypt.
      return undefined;
    }
  }
}
