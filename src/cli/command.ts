// What a command is: the text that describes it, what it takes, and the function that runs it. Knows no command.
import type { LoadedConfig, SettingRow } from '../config.ts';
import { AppError } from '../error.ts';
import type { Client } from './client.ts';
import type { Report } from './report.ts';

export interface Option {
  /** Without dashes. */
  name: string;
  /** What stands behind it, such as "FILE"; absent: nothing does. */
  value?: string;
  /** May be given several times; the values are separated by line breaks then. */
  isRepeated?: boolean;
  help: string;
}

export interface Command {
  name: string;
  alias?: string;
  /** In order, such as "NAME"; one in brackets may be left out, and after "…" there may be more of the last. */
  operands: string[];
  summary: string;
  /** More than the summary says; paragraphs. */
  details?: string[];
  /** What its first operand may be. */
  verbs?: { usage: string; help: string }[];
  options: Option[];
  /** Which settings it takes as flags. */
  takes: (setting: SettingRow) => boolean;
  examples: string[];
  /** Loads what runs it; absent for `serve`, which is handed in. */
  load?: () => Promise<Run>;
}

/** For `takes`: what a command that talks to a server needs. */
export const ofClients = ({ name, client }: SettingRow) => client || name === 'data' || name === 'config';

/** @returns the exit code; nothing is 0 */
export type Run = (invocation: Invocation) => Promise<number | void>;

export interface Invocation {
  operands: string[];
  /** Given options by name; "" for those without a value. */
  options: ReadonlyMap<string, string>;
  /** @throws AppError invalid for settings that make no sense */
  settings: () => LoadedConfig;
  client: () => Client;
  report: Report;
}

/** The command line is wrong; nothing was done. */
export class UsageError extends AppError {
  constructor(message: string, hint?: string) {
    super('invalid', message, hint);
  }
}

/** No server answered. */
export class Unreachable extends AppError {
  constructor(message: string, hint: string) {
    super('unavailable', message, hint);
  }
}
