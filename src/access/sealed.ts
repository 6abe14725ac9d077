// Texts that others keep for us and can neither read nor change: encrypted and signed (AES-256-GCM). Knows nothing of
// cookies, nor of where the others keep them.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const longestText = 4096;

export const sealKeyBytes = 32;

/** @param key of `sealKeyBytes`. @returns base64url */
export function sealText(key: Uint8Array, text: string): string {
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, key, nonce);
  const hidden = Buffer.concat([encryption.update(text), encryption.final()]);
  return Buffer.concat([nonce, encryption.getAuthTag(), hidden]).toString('base64url');
}

/** @returns undefined for what was not sealed with this key, or was changed since */
export function openText(key: Uint8Array, sealed: string): string | undefined {
  if (sealed.length > longestText) return undefined;
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < nonceBytes + tagBytes) return undefined;
  try {
    const decryption = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decryption.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    const hidden = bytes.subarray(nonceBytes + tagBytes);
    return Buffer.concat([decryption.update(hidden), decryption.final()]).toString();
  } catch {
    // What was changed does not decrypt.
    return undefined;
  }
}

/** Data that a browser keeps for us for a while, sealed with a key that lives as long as this process does. */
export class Seal<T> {
  readonly #key = randomBytes(sealKeyBytes);

  constructor(private readonly now: () => number = Date.now) {}

  /** @param value plain data. @returns base64url, that `open` takes for `lifeMs` */
  close(value: T, lifeMs: number): string {
    return sealText(this.#key, JSON.stringify({ value, untilMs: this.now() + lifeMs }));
  }

  /** @returns undefined when it is too old, or was not sealed here */
  open(text: string): T | undefined {
    const opened = openText(this.#key, text);
    if (opened === undefined) return undefined;
    const { value, untilMs } = JSON.parse(opened) as { value: T; untilMs: number };
    return this.now() < untilMs ? value : undefined;
  }
}
