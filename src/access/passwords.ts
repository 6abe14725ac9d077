// Hashes and checks passwords and says which are good enough. Knows no user; only how many hashes may run at once.
import { AppError } from '../error.ts';

/** As OWASP's password storage cheat sheet has it: 19 MiB, two passes. */
const cost = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const;

/** Of no user, at the same cost: checking against it takes as long as checking a real one. */
const decoy =
  '$argon2id$v=19$m=19456,t=2,p=1$RTY+0fVzzxgbvwNybm1GzpTKmwjlLeFm7C/R4zWtnHw$gzEb92sm0scdhxML5QKwYk0a8CfCYmpioQ+qeqXIgao';

const shortest = 12;
const longest = 256;
/** Anyone may ask for a check, and each takes memory and a core. */
const mostAtOnce = 32;
let running = 0;

/** @param userName the name that the password belongs to. @throws AppError invalid, saying what is wrong */
export function checkPassword(password: string, userName: string): void {
  const refuse = (message: string) => {
    throw new AppError('invalid', message, `Choose ${shortest} to ${longest} characters; a few words are good.`);
  };
  const { length } = Array.from(password);
  if (length < shortest) refuse(`The password has ${length} characters; it needs ${shortest} or more.`);
  if (length > longest) refuse(`The password has more than ${longest} characters.`);
  if (new Set(password).size < 5) refuse('The password repeats too few different characters.');
  const plain = fold(password);
  const name = fold(userName);
  if (plain === name) refuse("The password is the user's name.");
  // A short name occurs in good passwords by chance.
  if (name.length >= 4 && plain.replaceAll(name, '').length < shortest / 2) {
    refuse("The password is little more than the user's name.");
  }
}

/** @throws AppError overloaded when too many are at it */
export async function hashPassword(password: string): Promise<string> {
  return await limited(() => Bun.password.hash(normal(password), cost));
}

/**
 * @param hash undefined when there is none: takes the same time and is false
 * @throws AppError overloaded when too many are at it
 */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  // Too long to have been set; the text itself must not cost anything.
  const text = password.length > 4 * longest ? '' : normal(password);
  const matches = await limited(() => Bun.password.verify(text, hash ?? decoy));
  return matches && hash !== undefined;
}

async function limited<T>(work: () => Promise<T>): Promise<T> {
  if (running >= mostAtOnce) {
    throw new AppError('overloaded', 'Too many people are signing in at this moment.', 'Try again in a few seconds.');
  }
  running++;
  try {
    return await work();
  } finally {
    running--;
  }
}

/** Two keyboards may write the same letter in two ways. */
const normal = (text: string) => text.normalize('NFKC');
const fold = (text: string) => normal(text).toLowerCase().replaceAll(/\s/g, '');
