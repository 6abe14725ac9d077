// The pages of models: the list, each model's tabs and versions, and what is done to them: load, unload, delete.
import { callScreen, emptyModelScreen, logScreen, modelScreen, versionsScreen } from '../../../web/screens/model.ts';
import { modelPath, modelsScreen } from '../../../web/screens/models.ts';
import { versionScreen } from '../../../web/screens/version.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError, messageOf } from '../../error.ts';
import { log } from '../../log.ts';
import { parseVersion } from '../api/context.ts';
import type { AdminContext } from './context.ts';
import { empty } from './entry.ts';
import { previewOf, readDecisions, readInstances } from './machine.ts';
import { findShown, findTrouble, headOf, modelRows, trafficOf, versionOf } from './model-view.ts';
import { cutPage } from './paging.ts';
import { servedBy, standingOf, standingRoutes } from './version-standing.ts';
import { type AdminRoute, ownPath, retry, seeOther, type Visit } from './visit.ts';

/** A start that takes longer goes on while the person looks at the page. */
const patienceMs = 8000;

export function modelRoutes(context: AdminContext): AdminRoute[] {
  const { control } = context;
  const { registry } = control;
  const instancesOf = (name: string) => readInstances(control).filter(({ model }) => model === name);

  async function model(visit: Visit) {
    const { frame, params } = visit;
    const name = params.name!;
    const head = headOf(control, name);
    const shown = findShown(control, name);
    if (!shown) return emptyModelScreen(frame, head);
    return modelScreen(frame, {
      head,
      shown,
      origin: originOf(visit),
      traffic: trafficOf(control, name),
      instances: instancesOf(name),
      outcome: await previewOf(control, name, undefined, shown.version),
      trouble: shown.state === 'ready' ? undefined : findTrouble(control, name),
      served: servedBy(control, name),
    });
  }

  async function version({ frame, params, url }: Visit, problem?: string, form = empty) {
    const name = params.name!;
    const shown = versionOf(control, name, parseVersion(params.version!));
    const outcome = await previewOf(control, name, undefined, shown.version);
    const isNew = url.searchParams.has('new');
    const standing = standingOf(control, name, shown.version, form);
    return versionScreen(frame, { head: headOf(control, name), version: shown, outcome, isNew, problem, standing });
  }

  function versions({ frame, params }: Visit, form: FormState = empty) {
    const name = params.name!;
    const records = registry.listVersions(name).toReversed();
    return versionsScreen(frame, {
      head: headOf(control, name),
      versions: records.map((record) => ({
        ...versionOf(control, name, record.version),
        note: control.release.versionNote(name, record.version),
      })),
      served: servedBy(control, name),
      retention: control.release.retention(name),
      form,
    });
  }

  /** Where a person says what is to happen to a version, what can be put right is said on its page. */
  async function change(visit: Visit, work: (name: string, number: number) => Promise<Response>): Promise<Response> {
    try {
      return await work(visit.params.name!, parseVersion(visit.params.version!));
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'not_found') throw error;
      return retry(await version(visit, `${error.message} ${error.hint ?? ''}`.trim()));
    }
  }

  async function load(visit: Visit): Promise<Response> {
    return change(visit, async (name, number) => {
      const { t } = visit.frame;
      const back = ownPath(visit.form.get('back'), modelPath(name));
      const loading = control.load(name, number).then(() => true);
      loading.catch((error) => log('warn', 'a version asked for was not loaded', { reason: messageOf(error) }));
      const isReady = await Promise.race([loading, Bun.sleep(patienceMs)]);
      const what = { name, version: String(number) };
      return isReady
        ? seeOther(back, { tone: 'good', text: t('version.loaded', what) })
        : seeOther(back, { tone: 'info', text: t('version.loading', what) });
    });
  }

  return [
    {
      method: 'GET',
      path: '/admin/models',
      action: 'model.read',
      operation: 'listModels',
      answer({ frame, url }) {
        const search = url.searchParams.get('q') ?? '';
        const all = modelRows(control);
        const wanted = search.trim().toLowerCase();
        const { t } = frame;
        const found = all.filter(({ name, task, licence }) =>
          [name, t(`task.${task}`), licence ?? ''].some((text) => text.toLowerCase().includes(wanted)),
        );
        const { rows: models, page } = cutPage(found, url);
        return modelsScreen(frame, { models, search, page, isEmpty: all.length === 0 });
      },
    },
    { method: 'GET', path: '/admin/models/:name', action: 'model.read', operation: 'getModel', answer: model },
    {
      method: 'GET',
      path: '/admin/models/:name/versions',
      action: 'model.read',
      operation: 'getModel',
      answer: (visit) => versions(visit),
    },
    {
      method: 'GET',
      path: '/admin/models/:name/versions/:version',
      action: 'model.read',
      operation: 'getVersion',
      answer: (visit) => version(visit),
    },
    {
      method: 'GET',
      path: '/admin/models/:name/call',
      action: 'model.read',
      operation: 'getModel',
      answer(visit) {
        const name = visit.params.name!;
        const shown = findShown(control, name);
        if (!shown) return seeOther(modelPath(name));
        return callScreen(visit.frame, { head: headOf(control, name), origin: originOf(visit), shown });
      },
    },
    {
      method: 'GET',
      path: '/admin/models/:name/logs',
      action: 'instance.read',
      operation: 'getInstanceLog',
      answer({ frame, params }) {
        const name = params.name!;
        const logs = instancesOf(name).map((instance) => ({ instance, lines: control.instanceLog(instance.id) }));
        const decisions = readDecisions(control, { model: name, limit: 30 });
        return logScreen(frame, { head: headOf(control, name), logs, decisions });
      },
    },
    {
      method: 'POST',
      path: '/admin/models/:name/versions/:version/load',
      action: 'model.load',
      operation: 'loadVersion',
      answer: load,
    },
    {
      method: 'POST',
      path: '/admin/models/:name/versions/:version/unload',
      action: 'model.load',
      operation: 'unloadVersion',
      answer: (visit) =>
        change(visit, async (name, number) => {
          await control.unload(name, number);
          const text = visit.frame.t('version.unloaded', { name, version: String(number) });
          return seeOther(modelPath(name, '/versions'), { tone: 'good', text });
        }),
    },
    {
      method: 'POST',
      path: '/admin/models/:name/versions/:version/remove',
      action: 'model.write',
      operation: 'removeVersion',
      answer: (visit) =>
        change(visit, async (name, number) => {
          await control.removeVersion(name, number);
          const text = visit.frame.t('version.removed', { name, version: String(number) });
          return seeOther(modelPath(name, '/versions'), { tone: 'good', text });
        }),
    },
    {
      method: 'POST',
      path: '/admin/models/:name/remove',
      action: 'model.write',
      operation: 'removeModel',
      async answer({ frame, params }) {
        const name = params.name!;
        await control.unload(name);
        await control.removeModel(name);
        return seeOther('/admin/models', { tone: 'good', text: frame.t('model.removed', { name }) });
      },
    },
    ...standingRoutes(context, {
      version: async (visit, form) => retry(await version(visit, undefined, form)),
      versions: (visit, form) => retry(versions(visit, form)),
    }),
  ];
}

/** As the person's browser came here: the way that reaches this server from the network. */
function originOf({ asker, url }: Visit): string {
  return `${asker.isSecure ? 'https' : 'http'}://${url.host}`;
}
