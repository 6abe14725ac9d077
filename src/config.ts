// The settings as they are on this machine: read from flags, variables and the settings file, in that order, and shown to
// people. The only reader of the environment and of the settings file. The settings themselves are in settings.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { AppError, messageOf } from './error.ts';
import { findNearest, gibibyte, mebibyte } from './setting-text.ts';
import {
  type Config,
  type SettingName,
  settingNames,
  settings,
  type SettingSource,
  type Surroundings,
} from './settings.ts';

export { settingNames };
export type { Config, SettingName, SettingSource, Surroundings };

/** The real environment and file system, for the one caller that starts the program. */
export function readSurroundings(): Surroundings {
  return { env: process.env, isRoot: process.getuid?.() === 0, readFile };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AppError('invalid', `The settings file ${path} cannot be read: ${messageOf(error)}`);
  }
}

export interface LoadedConfig {
  config: Config;
  sources: Record<SettingName, SettingSource>;
}

/**
 * Reads all settings.
 * @param request.argv settings flags alone, "--listen HOST:PORT" or "--listen=HOST:PORT"
 * @throws AppError invalid, naming the setting, for an unknown name (with the nearest known one) or a bad value
 */
export function loadConfig({ argv, ...surroundings }: { argv: readonly string[] } & Surroundings): LoadedConfig {
  const texts: Texts = { flag: readFlags(argv), variable: readVariables(surroundings.env), file: {} };
  const values: Partial<Record<SettingName, string | number>> = {};
  const sources = {} as LoadedConfig['sources'];
  const settle = (name: SettingName) => {
    const source = textSources.find((source) => texts[source][name] !== undefined);
    sources[name] = source ?? 'default';
    return (values[name] = source ? parseText(name, source, texts[source][name]!) : fallbackOf(name, surroundings));
  };

  const data = settle('data') as string;
  const given = settle('config') as string;
  const path = given || join(data, 'aimass.toml');
  const file = surroundings.readFile(path);
  if (file === undefined && given) {
    throw new AppError('invalid', `The settings file ${path} does not exist.`, 'Check --config or AIMASS_CONFIG.');
  }
  if (file !== undefined) texts.file = readToml(file, path);
  for (const name of settingNames) settle(name);
  if (file !== undefined) values.config = path;
  const config = values as unknown as Config;
  return { config, sources };
}

type Texts = Record<Exclude<SettingSource, 'default'>, Partial<Record<SettingName, string>>>;

/** The first that has a text wins. */
const textSources = ['flag', 'variable', 'file'] as const;

function parseText(name: SettingName, source: keyof Texts, text: string): string | number {
  try {
    return settings[name].parse(text);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${spellings[source](name)}: ${error.message}`, error.hint);
  }
}

function fallbackOf(name: SettingName, surroundings: Surroundings): string | number {
  const { fallback } = settings[name];
  return typeof fallback === 'function' ? fallback(surroundings) : fallback;
}

export interface SettingRow {
  name: SettingName;
  flag: string;
  variable: string;
  key: string;
  /** The default in words. */
  fallback: string;
  help: string;
  client: boolean;
}

/** The settings in the order of the table, for people. */
export function configTable(): SettingRow[] {
  return settingNames.map((name) => {
    const { fallback, fallbackText, help, client } = settings[name];
    return {
      name,
      flag: flagOf(name),
      variable: variableOf(name),
      key: keyOf(name),
      fallback: fallbackText ?? formatSetting(name, fallback as string | number),
      help,
      client: client ?? false,
    };
  });
}

/** Whether the value must not be shown. */
export function isSecret(name: SettingName): boolean {
  return settings[name].isSecret ?? false;
}

function hasFlag(name: SettingName): boolean {
  return !isSecret(name) || (settings[name].client ?? false);
}

/** A value as a person would write it; a secret is only said to be set. */
export function formatSetting(name: SettingName, value: string | number): string {
  if (isSecret(name)) return value ? '(set)' : '';
  if (typeof value === 'string') return value;
  if (name.endsWith('Bytes')) {
    if (value % gibibyte === 0) return `${value / gibibyte}GiB`;
    if (value % mebibyte === 0) return `${value / mebibyte}MiB`;
  }
  if (name.endsWith('Ms') && value >= 1000 && value % 1000 === 0) return `${value / 1000}s`;
  return String(value);
}

/** The settings as a Markdown table, for README.md. */
export function renderSettingsMarkdown(): string {
  const rows = configTable().map(
    ({ name, flag, variable, key, fallback, help }) =>
      `| ${hasFlag(name) ? `\`${flag}\`` : '–'} | \`${variable}\` | \`${key}\` | ${fallback || 'none'} | ${help} |`,
  );
  return [
    '| flag | variable | in aimass.toml | default | what it is |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

const snake = (name: SettingName) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const flagOf = (name: SettingName) => `--${snake(name).replaceAll('_', '-')}`;
const variableOf = (name: SettingName) => `AIMASS_${snake(name).toUpperCase()}`;
const keyOf = snake;

const spellings = { flag: flagOf, variable: variableOf, file: keyOf };

/** The setting that a flag ("--listen") sets; undefined if there is none. */
export function findSettingByFlag(flag: string): SettingName | undefined {
  return settingNames.find((name) => flagOf(name) === flag);
}

function readFlags(argv: readonly string[]): Partial<Record<SettingName, string>> {
  const texts: Partial<Record<SettingName, string>> = {};
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    const equals = argument.indexOf('=');
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const name = getKnown(flag, flagOf, 'setting');
    if (!hasFlag(name)) {
      const hint = `Set ${variableOf(name)}, or ${keyOf(name)} in the settings file.`;
      throw new AppError('invalid', `${flag} is no flag: everybody on this machine could read it.`, hint);
    }
    const value = equals < 0 ? argv[++i] : argument.slice(equals + 1);
    if (value === undefined) throw new AppError('invalid', `${flag} needs a value.`, settings[name].help);
    texts[name] = value;
  }
  return texts;
}

function readVariables(env: Record<string, string | undefined>): Partial<Record<SettingName, string>> {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('AIMASS_') || value === undefined) continue;
    texts[getKnown(variable, variableOf, 'variable')] = value;
  }
  return texts;
}

function readToml(text: string, path: string): Partial<Record<SettingName, string>> {
  let table: Record<string, unknown>;
  try {
    table = Bun.TOML.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new AppError('invalid', `The settings file ${path} is not valid TOML: ${messageOf(error)}`);
  }
  const texts: Partial<Record<SettingName, string>> = {};
  for (const [key, value] of Object.entries(table)) {
    const name = getKnown(key, keyOf, 'setting', ` in ${path}`);
    if (name === 'config') throw new AppError('invalid', `config cannot be set in ${path}: it names that file.`);
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new AppError('invalid', `${key} in ${path} must be text or a number.`);
    }
    texts[name] = String(value);
  }
  return texts;
}

function getKnown(spelling: string, spell: (name: SettingName) => string, kind: string, where = ''): SettingName {
  const name = settingNames.find((name) => spell(name) === spelling);
  if (name) return name;
  const nearest = findNearest(spelling, settingNames.map(spell));
  const shown = spelling.replace(/^--/, '').slice(0, 80);
  throw new AppError(
    'invalid',
    `unknown ${kind} '${shown}'${where}${nearest ? `: did you mean '${nearest.replace(/^--/, '')}'?` : ''}`,
    "'aimass config' lists all settings.",
  );
}
