// Which names people may sign in with, and when two names are the same.
import { AppError } from '../error.ts';

const form = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._@+' -]{0,62}[\p{L}\p{M}\p{N}])?$/u;

/** @returns the name as it is kept. @throws AppError invalid */
export function checkUserName(text: string): string {
  const name = text.length > 256 ? '' : text.normalize('NFKC').trim();
  if (form.test(name)) return name;
  throw new AppError(
    'invalid',
    `A user cannot be called ${JSON.stringify(text.slice(0, 80))}.`,
    "Use 1 to 64 letters, digits, '.', '_', '-', '@', '+', apostrophes and spaces, with a letter or digit at both ends.",
  );
}

/** Equal for names that are the same to a reader; for any text, also one that is no name. */
export function userNameKey(text: string): string {
  return text.slice(0, 256).normalize('NFKC').trim().toLowerCase();
}
