// The settings that the server runs with, and where each comes from.
import { settingsScreen } from '../../../web/screens/system.ts';
import type { SettingRow } from '../../../web/view-types.ts';
import { configTable } from '../../config.ts';
import type { SettingView } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import type { AdminRoute } from './visit.ts';

export function settingRoutes({ control }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/settings',
      action: 'settings.read',
      operation: 'listSettings',
      answer({ frame, url }) {
        const search = url.searchParams.get('q')?.slice(0, 100) ?? '';
        const wanted = search.toLowerCase();
        const settings = control
          .settings()
          .map(rowOf)
          .filter(({ name, help }) => `${name}\n${help}\n${frame.t.said(help)}`.toLowerCase().includes(wanted));
        return settingsScreen(frame, { settings, search });
      },
    },
  ];
}

/** As the settings file has them. */
const keys = new Map<string, string>(configTable().map(({ name, key }) => [name, key]));

function rowOf({ name, value, default: defaultValue, source, help }: SettingView): SettingRow {
  return {
    name: keys.get(name) ?? name,
    value,
    defaultValue,
    help,
    source: source === 'variable' ? 'environment' : source,
  };
}
