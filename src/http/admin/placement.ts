// The pages of placement: the settings of a model with a preview, and the log of decisions.
import type { PlacementSettings, PlacementView } from '../../../web/machine-views.ts';
import { decisionsScreen } from '../../../web/screens/decisions.ts';
import { placementScreen } from '../../../web/screens/placement.ts';
import type { FormState } from '../../../web/view-types.ts';
import { decisionKinds } from '../../device/decisions.ts';
import { AppError } from '../../error.ts';
import type { AdminContext } from './context.ts';
import { withError } from './entry.ts';
import { nameDevice, previewOf, readDecisions } from './machine.ts';
import { readPlacementForm } from './placement-form.ts';
import { type AdminRoute, retry, seeOther, type Visit } from './visit.ts';

const pageSize = 50;
const decisionsOfModel = 10;
const blank: FormState = { values: {}, errors: {} };

export function placementRoutes({ control }: AdminContext): AdminRoute[] {
  const { placement } = control;

  function show(visit: Visit, form: FormState, more: Pick<PlacementView, 'outcome' | 'isStale'> = {}) {
    const model = visit.params.name!;
    const settings = placement.settings(model);
    const { devices } = control.machine();
    const named = devices.map(nameDevice);
    const gone = (settings.deviceIds ?? []).filter((id) => !named.some((device) => device.id === id));
    const classes = new Set([
      ...devices.map(({ name }) => name),
      ...(settings.deviceClass ? [settings.deviceClass] : []),
    ]);
    return placementScreen(visit.frame, {
      model,
      settings,
      form,
      basis: basisOf(settings),
      devices: [...named, ...gone.map((id) => ({ id, label: id }))],
      classes: [...classes],
      decisions: readDecisions(control, { model, limit: decisionsOfModel }),
      ...more,
    });
  }

  async function save(visit: Visit): Promise<Response> {
    const model = visit.params.name!;
    const before = placement.settings(model);
    const { patch, state } = readPlacementForm(visit.form, visit.frame.t);
    if (!patch) return retry(show(visit, state));
    if (visit.form.get('basis') !== basisOf(before)) return retry(show(visit, state, { isStale: true }));
    try {
      const after = await placement.setSettings(model, patch);
      visit.note({ before, after });
    } catch (error) {
      return retry(show(visit, withError(state, error)));
    }
    const text = visit.frame.t('placement.saved', { model });
    return seeOther(`/admin/placement/${encodeURIComponent(model)}`, { tone: 'good', text });
  }

  return [
    {
      method: 'GET',
      path: '/admin/placement/:name',
      action: 'model.read',
      operation: 'getPlacement',
      answer: (visit) => show(visit, blank),
    },
    {
      method: 'POST',
      path: '/admin/placement/:name',
      action: 'placement.write',
      operation: 'setPlacement',
      answer: save,
    },
    {
      method: 'POST',
      path: '/admin/placement/:name/preview',
      action: 'placement.write',
      operation: 'previewPlacement',
      async answer(visit) {
        const { patch, state } = readPlacementForm(visit.form, visit.frame.t);
        if (!patch) return retry(show(visit, state));
        return show(visit, state, { outcome: await previewOf(control, visit.params.name!, patch) });
      },
    },
    {
      method: 'GET',
      path: '/admin/decisions',
      action: 'device.read',
      operation: 'listDecisions',
      answer: (visit) => showDecisions(control, visit),
    },
  ];
}

function showDecisions(control: AdminContext['control'], { frame, url }: Visit) {
  const asked = (name: string) => url.searchParams.get(name) ?? '';
  const kind = decisionKinds.find((each) => each === asked('kind'));
  const model = asked('model').trim().slice(0, 128);
  const before = asked('before') === '' ? undefined : readId(asked('before'));
  const found = readDecisions(control, { model: model || undefined, kind, before, limit: pageSize + 1 });
  const rows = found.slice(0, pageSize);
  return decisionsScreen(frame, {
    rows,
    filter: { model, kind: kind ?? '' },
    ...(found.length > pageSize && { before: rows.at(-1)!.id }),
    isFirstPage: before === undefined,
  });
}

/** @throws AppError invalid */
function readId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new AppError('invalid', 'This is not a place in the log.', 'Open the log from its beginning.');
}

/** Of settings as a form was filled from them. */
function basisOf(settings: PlacementSettings): string {
  return Bun.hash(JSON.stringify(settings, Object.keys(settings).toSorted())).toString(36);
}
