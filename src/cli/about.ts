// Commands about this program: help, version and settings. They need no server.
import {
  configTable,
  formatSetting,
  isSecret,
  type LoadedConfig,
  type SettingName,
  type SettingRow,
} from '../config.ts';
import { version } from '../version.ts';
import { commonOptions, flagOf, usageOf } from './arguments.ts';
import { getCommand } from './cli.ts';
import type { Command, Invocation } from './command.ts';
import { commandGroups, commands } from './commands.ts';
import type { Report } from './report.ts';
import { type Column, indent, renderPairs, renderTable, wrap } from './text.ts';

export async function showVersion({ report }: Invocation): Promise<void> {
  await report.answer({ version }, () => `aimass ${version}`);
}

export async function showHelp({ operands, report }: Invocation): Promise<void> {
  if (operands[0] !== undefined) return showHelpOf(getCommand(operands[0]), report);
  const list = commands.map(({ name, operands, summary }) => ({ name, operands, summary }));
  await report.answer({ commands: list }, () => renderOverview(report.terminal.width));
}

export async function showHelpOf(command: Command, report: Report): Promise<void> {
  const { name, operands, summary, verbs, options, examples } = command;
  const settings = configTable().filter(command.takes);
  const takes = { options: [...options, ...commonOptions], settings };
  await report.answer({ name, operands, summary, verbs, ...takes, examples }, () =>
    renderHelp(command, settings, report.terminal.width),
  );
}

export async function showConfig({ settings, report }: Invocation): Promise<void> {
  const loaded = settings();
  const rows = configTable();
  const answer = Object.fromEntries(rows.map((row) => [row.name, settingAnswer(row, loaded)]));
  const columns: Column<SettingRow>[] = [
    { title: 'SETTING', cell: ({ key }) => key },
    { title: 'VALUE', cell: ({ name }) => formatSetting(name, loaded.config[name]) || '–' },
    { title: 'FROM', cell: (row) => describeSource(row, loaded) },
  ];
  await report.answer({ settings: answer }, () => renderTable(columns, rows, report.terminal.width));
}

function settingAnswer({ name, flag, variable, key }: SettingRow, { config, sources }: LoadedConfig) {
  return { value: valueOf(name, config), source: sources[name], flag, variable, key };
}

function valueOf(name: SettingName, config: LoadedConfig['config']): string | number {
  return isSecret(name) ? formatSetting(name, config[name]) : config[name];
}

function describeSource({ name, flag, variable }: SettingRow, { config, sources }: LoadedConfig): string {
  const { [sources[name]]: source } = { flag, variable, file: config.config, default: 'default' };
  return source;
}

function renderOverview(width?: number): string {
  const longest = Math.max(...commands.map((command) => headOf(command).length));
  const groups = commandGroups.flatMap(({ title, commands }) => [
    '',
    title,
    ...commands.map((command) => indent(`${headOf(command).padEnd(longest)}  ${command.summary}`)),
  ]);
  return [
    `aimass ${version}: turns this machine into a model service`,
    '',
    'Usage: aimass COMMAND …',
    ...groups,
    '',
    wrap(
      "Commands reach the server through the socket in its data folder (--data), or at --server URL. 'aimass help " +
        "COMMAND' says more about one. All take --json.",
      width,
    ),
    'Exit codes: 0 done, 1 the server or the model said no, 2 wrong usage, 3 no server was reached.',
  ].join('\n');
}

function headOf({ name, operands }: Command): string {
  return [name, ...operands].join(' ');
}

function renderHelp(command: Command, settings: readonly SettingRow[], width?: number): string {
  const { summary, details = [], alias, verbs = [], options, examples } = command;
  const room = width && width - 2;
  const all: [string, string][] = [...options, ...commonOptions].map((option) => [flagOf(option), option.help]);
  const flags = settings.map(({ flag, help, fallback }): [string, string] => [
    flag,
    fallback ? `${help} Default: ${fallback}.` : help,
  ]);
  return [
    `${summary}.${alias ? ` Also: aimass ${alias}.` : ''}`,
    '',
    `Usage: ${usageOf(command)}${settings.length > 0 ? ' [SETTING]…' : ''}`,
    ...(verbs.length > 0
      ? [
          '',
          'Verbs',
          indent(
            renderPairs(
              verbs.map(({ usage, help }) => [usage, help] as const),
              room,
            ),
          ),
        ]
      : []),
    ...details.flatMap((paragraph) => ['', wrap(paragraph, width)]),
    '',
    'Options',
    indent(renderPairs(all, room)),
    ...(flags.length > 0
      ? ['', 'Settings (also as variables and in aimass.toml)', indent(renderPairs(flags, room))]
      : []),
    '',
    examples.length > 1 ? 'Examples' : 'Example',
    ...examples.map(indent),
  ].join('\n');
}
