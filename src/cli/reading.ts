// Reads what a person typed after a command: the verb, its options, and the answer to whether they are sure.
import { AppError } from '../error.ts';
import { oneOf } from '../setting-text.ts';
import { type Invocation, UsageError } from './command.ts';
import { printable } from './report.ts';

export interface Verb {
  /** Names of the options that it takes; others of the command make no sense with it. */
  takes: readonly string[];
  /** @param operand what follows the verb; absent where it takes none */
  run: (invocation: Invocation, operand: string, second: string) => Promise<number | void>;
  /** What must follow it, such as "NAME". */
  operand?: string;
  /** What must follow that. */
  second?: string;
}

/** Runs the verb that the first operand names. @param usual the verb where there is none. @throws UsageError */
export async function runVerb(
  invocation: Invocation,
  verbs: Readonly<Record<string, Verb>>,
  usual: string,
): Promise<number | void> {
  const { operands, options } = invocation;
  const [word = usual, operand, second, ...more] = operands;
  const name = asUsage(() => oneOf(Object.keys(verbs))(word));
  const verb = verbs[name]!;
  const surplus = verb.second ? more[0] : verb.operand ? second : operand;
  if (surplus !== undefined) throw new UsageError(`'${surplus.slice(0, 80)}' is one word too many.`);
  if (verb.operand && operand === undefined) throw new UsageError(`'${name}' needs ${verb.operand}.`);
  if (verb.second && second === undefined) throw new UsageError(`'${name}' needs ${verb.second}.`);
  const stray = [...options.keys()].find((option) => option !== 'json' && !verb.takes.includes(option));
  if (stray !== undefined) throw new UsageError(`'${name}' does not take --${stray}.`);
  return verb.run(invocation, operand ?? '', second ?? '');
}

/** @returns undefined when it was not given. @throws UsageError that names the option */
export function readOption<T>({ options }: Invocation, name: string, read: (text: string) => T): T | undefined {
  const text = options.get(name);
  return text === undefined ? undefined : asUsage(() => read(text), `--${name}: `);
}

/** @throws UsageError */
export function requireOption<T>(invocation: Invocation, option: string, read: (text: string) => T): T {
  const value = readOption(invocation, option, read);
  if (value !== undefined) return value;
  throw new UsageError(`--${option} is missing.`, 'It has no default.');
}

function asUsage<T>(read: () => T, where = ''): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UsageError(`${where}${error.message.replace(/[.?]$/, '')}.`, error.hint);
  }
}

/** Asks unless --yes was given. @throws UsageError when nobody is there to be asked */
export async function isSure({ options, report }: Invocation, question: string): Promise<boolean> {
  if (options.has('yes')) return true;
  const { readLine, err } = report.terminal;
  if (!readLine) throw new UsageError('Nobody is there to be asked.', 'Say that you are sure with --yes.');
  err(printable(`${question} [y/N] `));
  if (/^y(es)?$/i.test((await readLine()).trim())) return true;
  report.note('Nothing was changed.');
  return false;
}
