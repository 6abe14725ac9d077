// Every setting in one table: its default, how its text is read and what it is for. The only reader of the
// environment and of the settings file. Precedence: flag, variable, file, default.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import { AppError, messageOf } from './error.ts';
import type { LogLevel } from './log.ts';
import {
  duration,
  filled,
  findNearest,
  folders,
  gibibyte,
  mebibyte,
  oneOf,
  parseListen,
  serverUrl,
  size,
  whole,
} from './setting-text.ts';

export interface Config {
  /** Absolute path of the folder that holds everything the appliance keeps. */
  data: string;
  /** Settings file that was read; "" if there is none. */
  config: string;
  /** "HOST:PORT"; see parseListen. */
  listen: string;
  logLevel: LogLevel;
  requestTimeoutMs: number;
  loadTimeoutMs: number;
  runTimeoutMs: number;
  drainTimeoutMs: number;
  inspectTimeoutMs: number;
  inspectMemoryMb: number;
  maxUploadBytes: number;
  uploadExpiryHours: number;
  maxBodyBytes: number;
  maxJsonBytes: number;
  maxJsonTensorBytes: number;
  maxInflatedBytes: number;
  maxQueueSize: number;
  threads: number;
  /** Absolute folders, separated by colons; "" for none. */
  cudaPath: string;
  /** URL of the server that the commands talk to; "": the unix socket in the data folder. */
  server: string;
  /** Secret; never print it. */
  key: string;
}

export type SettingName = keyof Config;
export type SettingSource = 'flag' | 'variable' | 'file' | 'default';

interface Setting<T> {
  fallback: T | ((surroundings: Surroundings) => T);
  parse: (text: string) => T;
  /** The default in words, where it depends on the machine. */
  fallbackText?: string;
  help: string;
  /** Used by the commands that talk to a server, and ignored by `serve`. */
  client?: boolean;
}

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

const settings: { [K in SettingName]: Setting<Config[K]> } = {
  data: {
    fallback: defaultDataFolder,
    parse: (text) => resolve(filled(text)),
    fallbackText: '/var/lib/aimass as root, else ~/.local/share/aimass',
    help: 'Folder that holds models, the database and the socket.',
  },
  config: {
    fallback: '',
    parse: (text) => resolve(filled(text)),
    fallbackText: 'aimass.toml in the data folder, if it exists',
    help: 'Settings file (TOML).',
  },
  listen: {
    fallback: '127.0.0.1:8700',
    parse: (text) => (parseListen(text), text),
    help: 'Address and port to serve on. Anyone who reaches it may use it: there are no users yet.',
  },
  logLevel: {
    fallback: 'info',
    parse: oneOf(logLevels),
    help: 'debug, info, warn or error. debug logs every request.',
  },
  requestTimeoutMs: {
    fallback: 60_000,
    parse: duration(1),
    help: 'Longest time a request may take when it names no timeout itself.',
  },
  loadTimeoutMs: { fallback: 120_000, parse: duration(1), help: 'Longest time an instance may take to start.' },
  runTimeoutMs: {
    fallback: 60_000,
    parse: duration(1),
    help: 'A batch that computes longer is taken as hung and its instance is replaced.',
  },
  drainTimeoutMs: { fallback: 30_000, parse: duration(0), help: 'At shutdown, how long running requests may finish.' },
  inspectTimeoutMs: { fallback: 120_000, parse: duration(1), help: 'Longest time to look at an uploaded model.' },
  inspectMemoryMb: {
    fallback: 4096,
    parse: whole(64, 16 * 1024 ** 2),
    help: 'Memory in MiB that looking at an uploaded model may take beyond its weights.',
  },
  maxUploadBytes: { fallback: 64 * gibibyte, parse: size(1), help: 'Largest file that may be uploaded.' },
  uploadExpiryHours: {
    fallback: 24,
    parse: whole(1, 24 * 365),
    help: 'Hours after which an unfinished upload is removed.',
  },
  maxBodyBytes: { fallback: 256 * mebibyte, parse: size(1024), help: 'Largest body of an inference request.' },
  maxJsonBytes: { fallback: 64 * mebibyte, parse: size(1024), help: 'Largest JSON part of a request.' },
  maxJsonTensorBytes: {
    fallback: 64 * mebibyte,
    parse: size(1024),
    help: 'Largest tensor, in binary form, that is read or written as JSON.',
  },
  maxInflatedBytes: { fallback: 512 * mebibyte, parse: size(1024), help: 'Largest compressed body once inflated.' },
  maxQueueSize: {
    fallback: 1024,
    parse: whole(1, 1_000_000),
    help: 'Requests that may wait for one version, unless it sets its own limit.',
  },
  threads: {
    fallback: 0,
    parse: whole(0, 4096),
    help: 'Cores that all instances may use together; 0 is all of them.',
  },
  cudaPath: {
    fallback: ({ env }) => folders(env.LD_LIBRARY_PATH ?? ''),
    parse: folders,
    fallbackText: 'LD_LIBRARY_PATH',
    help: "Folders, separated by colons, that are searched for CUDA's libraries before the system's.",
  },
  server: {
    fallback: '',
    parse: serverUrl,
    fallbackText: 'the socket in the data folder',
    help: 'URL of the server that the commands talk to.',
    client: true,
  },
  key: { fallback: '', parse: filled, help: 'API key that the commands send.', client: true },
};

export const settingNames = Object.keys(settings) as SettingName[];

export interface Surroundings {
  env: Record<string, string | undefined>;
  /** Text of a file; undefined if there is none. */
  readFile: (path: string) => string | undefined;
  isRoot: boolean;
}

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

/** A value as a person would write it; a secret is only said to be set. */
export function formatSetting(name: SettingName, value: string | number): string {
  if (name === 'key') return value ? '(set)' : '';
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
    ({ flag, variable, key, fallback, help }) =>
      `| \`${flag}\` | \`${variable}\` | \`${key}\` | ${fallback || 'none'} | ${help} |`,
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

function defaultDataFolder({ env, isRoot }: Surroundings): string {
  // systemd may name several folders, separated by colons.
  const state = env.STATE_DIRECTORY?.split(':')[0];
  if (state) return state;
  if (isRoot) return '/var/lib/aimass';
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share'), 'aimass');
}
