// The route that shows the server's settings, and how they are made ready for it. Secrets are only said to be set.
import { Elysia } from 'elysia';

import { type Config, configTable, formatSetting, type SettingName, type SettingSource } from '../../config.ts';
import { type ApiContext, describe } from './context.ts';
import type { SettingView } from './control.ts';

/** Where settings come from; one that is not in it is the default. */
export type SettingSources = Partial<Record<SettingName, SettingSource>>;

/** The settings that the server reads, in the order of their table. */
export function viewSettings({ config, sources }: { config: Config; sources: SettingSources }): SettingView[] {
  return configTable()
    .filter(({ client }) => !client)
    .map(({ name, fallback, help }) => ({
      name,
      value: formatSetting(name, config[name]),
      source: sources[name] ?? 'default',
      default: fallback,
      help,
    }));
}

export function settingRoutes({ control }: ApiContext) {
  return new Elysia({ normalize: false }).get('/api/v1/settings', () => ({ settings: control.settings() }), {
    detail: describe({
      id: 'listSettings',
      action: 'settings.read',
      tag: 'Appliance',
      summary: "The server's settings, and where each comes from",
      answer: { schema: 'SettingList' },
    }),
  });
}
