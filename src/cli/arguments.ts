// Takes a command line apart: the command, its operands and options, and the settings that stand among them.
import { configTable, findSettingByFlag } from '../config.ts';
import { findNearest } from '../setting-text.ts';
import { type Command, type Option, UsageError } from './command.ts';

/** Options that every command takes. */
export const commonOptions: Option[] = [
  { name: 'json', help: 'Answer in JSON, for programs.' },
  { name: 'help', help: 'Say how the command is used.' },
];

export interface Arguments {
  operands: string[];
  options: Map<string, string>;
  /** Settings flags, each as one "--flag=value". */
  settings: string[];
}

/** @param argv what follows the command. @throws UsageError, with what was meant where that can be guessed */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const taken: Arguments = { operands: [], options: new Map(), settings: [] };
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') {
      taken.operands.push(...rest);
      break;
    }
    if (argument === '-h') argument = '--help';
    if (argument.startsWith('-') && argument !== '-') takeOption(command, argument, rest, taken);
    else taken.operands.push(argument);
  }
  if (!taken.options.has('help')) checkOperands(command, taken.operands);
  return taken;
}

function takeOption(command: Command, argument: string, rest: string[], taken: Arguments): void {
  const equals = argument.indexOf('=');
  const flag = equals < 0 ? argument : argument.slice(0, equals);
  const value = equals < 0 ? undefined : argument.slice(equals + 1);
  const option = [...command.options, ...commonOptions].find(({ name }) => flag === `--${name}`);
  if (option && !option.value) {
    if (value !== undefined) throw new UsageError(`${flag} takes no value.`, seeHelp(command));
    taken.options.set(option.name, '');
    return;
  }
  if (!option) checkSetting(command, flag);
  const given = value ?? rest.shift();
  if (given === undefined) throw new UsageError(`${flag} needs a value.`, seeHelp(command));
  const before = option?.isRepeated ? taken.options.get(option.name) : undefined;
  if (option) taken.options.set(option.name, before === undefined ? given : `${before}\n${given}`);
  else taken.settings.push(`${flag}=${given}`);
}

function checkSetting(command: Command, flag: string): void {
  const table = configTable();
  const name = findSettingByFlag(flag);
  const setting = table.find((row) => row.name === name);
  if (setting && command.takes(setting)) return;
  if (setting) {
    const whose = setting.client
      ? 'for the commands that talk to a server'
      : "a setting of the server, for 'aimass serve'";
    throw new UsageError(`'aimass ${command.name}' does not take ${flag}: it is ${whose}.`, seeHelp(command));
  }
  const settings = table.filter(command.takes).map((row) => row.flag.slice(2));
  const known = [...settings, ...[...command.options, ...commonOptions].map(({ name }) => name)];
  const shown = flag.replace(/^-+/, '').slice(0, 80);
  const nearest = findNearest(shown, known);
  throw new UsageError(`unknown option '${shown}'${nearest ? `: did you mean '${nearest}'?` : ''}`, seeHelp(command));
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const needed = command.operands.filter((operand) => !operand.startsWith('['));
  if (operands.length < needed.length) {
    throw new UsageError(
      `'aimass ${command.name}' needs ${needed.slice(operands.length).join(' and ')}.`,
      usage(command),
    );
  }
  const isOpen = /…\]?$/.test(command.operands.at(-1) ?? '');
  if (operands.length > command.operands.length && !isOpen) {
    const surplus = operands[command.operands.length]!;
    throw new UsageError(`'${surplus.slice(0, 80)}' is one word too many.`, usage(command));
  }
}

function usage(command: Command): string {
  return `Usage: ${usageOf(command)}`;
}

/** More would hide the operands. */
const mostOptions = 12;

export function usageOf({ name, operands, options }: Command): string {
  if (options.length > mostOptions) return ['aimass', name, ...operands, '[OPTION]…'].join(' ');
  return [
    'aimass',
    name,
    ...operands,
    ...options.map((option) => `[${flagOf(option)}]${option.isRepeated ? '…' : ''}`),
  ].join(' ');
}

export function flagOf({ name, value }: Option): string {
  return value ? `--${name} ${value}` : `--${name}`;
}

function seeHelp({ name }: Command): string {
  return `'aimass help ${name}' lists what it takes.`;
}
