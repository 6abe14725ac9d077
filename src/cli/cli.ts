// The command line: finds the command, runs it and turns what goes wrong into a message and an exit code. Commands and
// all that they need are loaded when they run.
import { loadConfig, type LoadedConfig, readSurroundings, type Surroundings } from '../config.ts';
import { AppError } from '../error.ts';
import { findNearest } from '../setting-text.ts';
import { parseArguments } from './arguments.ts';
import { type Command, Unreachable, UsageError } from './command.ts';
import { commands } from './commands.ts';
import { createReport, printable, type Terminal, toJson } from './report.ts';
import { openTerminal } from './terminal.ts';

export interface CliParts {
  /** Runs the server until it is told to stop. @returns the exit code */
  serve: (loaded: LoadedConfig) => Promise<number>;
  terminal?: Terminal;
  surroundings?: Surroundings;
}

/**
 * @param argv without the name of the program
 * @returns the exit code: 0 done, 1 the server or the model said no, 2 wrong usage, 3 no server was reached
 */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  const { terminal = openTerminal() } = parts;
  try {
    return await runCommand(argv, terminal, parts);
  } catch (error) {
    terminal.err(describeError(error, argv.includes('--json')));
    return exitCodeOf(error);
  }
}

async function runCommand(argv: readonly string[], terminal: Terminal, { serve, surroundings }: CliParts) {
  const [verb = 'help', ...rest] = argv;
  const command = getCommand(verb);
  const { operands, options, settings: flags } = parseArguments(command, rest);
  const report = createReport(terminal, options.has('json'));
  if (options.has('help')) {
    await (await import('./about.ts')).showHelpOf(command, report);
    return 0;
  }
  const around = surroundings ?? readSurroundings();
  const settings = () => readSettings(flags, around);
  if (!command.load) return await serve(settings());
  const run = await command.load();
  const { Client } = await import('./client.ts');
  const client = () => new Client(settings().config);
  return (await run({ operands, options, settings, client, report })) ?? 0;
}

function readSettings(flags: readonly string[], surroundings: Surroundings): LoadedConfig {
  try {
    return loadConfig({ argv: flags, ...surroundings });
  } catch (error) {
    throw error instanceof AppError ? new UsageError(error.message, error.hint) : error;
  }
}

/** @throws UsageError with the command that was probably meant */
export function getCommand(verb: string): Command {
  const name = { '--help': 'help', '-h': 'help', '--version': 'version' }[verb] ?? verb;
  const command = commands.find((each) => each.name === name || each.alias === name);
  if (command) return command;
  if (verb.startsWith('-')) throw new UsageError('The command comes first.', 'Write it as: aimass models --json');
  const nearest = findNearest(
    verb,
    commands.flatMap((each) => [each.name, ...(each.alias ? [each.alias] : [])]),
  );
  throw new UsageError(
    `unknown command '${verb.slice(0, 80)}'${nearest ? `: did you mean '${nearest}'?` : ''}`,
    "'aimass help' lists all commands.",
  );
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return 2;
  return error instanceof Unreachable ? 3 : 1;
}

function describeError(error: unknown, asJson: boolean): string {
  if (!(error instanceof AppError)) {
    return `aimass: this should not have happened: ${error instanceof Error ? error.stack : String(error)}\n`;
  }
  const { code, message, hint } = error;
  if (asJson) return `${toJson({ error: { code, message, hint } })}\n`;
  return printable(`aimass: ${message}\n${hint ? `  ${hint}\n` : ''}`);
}
