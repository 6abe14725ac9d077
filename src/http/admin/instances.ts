// The pages of the instances: the list, one with its log, and the button that restarts it.
import type { InstanceRow } from '../../../web/machine-views.ts';
import { instanceScreen, instancesScreen } from '../../../web/screens/instances.ts';
import { AppError, messageOf } from '../../error.ts';
import { log } from '../../log.ts';
import type { AdminContext } from './context.ts';
import { getInstance, readInstances } from './machine.ts';
import { type AdminRoute, seeOther, userOf } from './visit.ts';

export function instanceRoutes({ control }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/instances',
      action: 'instance.read',
      operation: 'listInstances',
      answer({ frame }) {
        const rows = readInstances(control);
        return instancesScreen(frame, { rows, seen: signatureOf(rows) });
      },
    },
    {
      method: 'GET',
      path: '/admin/instances/:id',
      action: 'instance.read',
      operation: 'getInstanceLog',
      answer({ frame, params }) {
        const row = getInstance(control, params.id!);
        return instanceScreen(frame, { row, log: control.instanceLog(row.id) });
      },
    },
    {
      method: 'POST',
      path: '/admin/instances/:id/restart',
      action: 'instance.restart',
      operation: 'restartInstance',
      answer(visit) {
        const { id, model, version, state } = getInstance(control, visit.params.id!);
        if (state === 'stopped')
          throw new AppError('conflict', 'This instance is ending already.', 'Look at the list again.');
        visit.note({ target: `${model}:${version}`, after: { instance: id } });
        // What it computes may take its time; the list shows how it goes.
        control.restartInstance(id, userOf(visit).name).catch((error: unknown) => {
          log('warn', 'instance not restarted', { model, version, instance: id, reason: messageOf(error) });
        });
        const text = visit.frame.t('instance.restarted', { model, version: String(version) });
        return seeOther('/admin/instances', { tone: 'good', text });
      },
    },
  ];
}

/** Of a list: another one when other instances are on it. */
export function signatureOf(rows: readonly InstanceRow[]): string {
  return Bun.hash(rows.map(({ id }) => id).join(' ')).toString(36);
}
