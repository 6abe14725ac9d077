// What is said of versions beside their manifests, which endpoints serve them, what becomes of old ones, and how any two
// differ.
import type { ServedBy, VersionStanding } from '../../../web/release-views.ts';
import { compareScreen } from '../../../web/screens/differences.ts';
import { modelPath } from '../../../web/screens/models.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { parseVersion } from '../api/context.ts';
import type { Control } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf } from './entry.ts';
import { createNumbers, withFault } from './faults.ts';
import { listOf } from './release-form.ts';
import { listSubjects, readSubject } from './release-request.ts';
import { type AdminRoute, seeOther, userOf, type Visit } from './visit.ts';

/** On the page of a version. */
const mostReleases = 10;

/** @throws AppError not_found */
export function standingOf({ release }: Control, model: string, version: number, form = empty): VersionStanding {
  const releases = release.releases({ model, limit: 500 }).filter(({ request }) => request.version === version);
  return { note: release.versionNote(model, version), releases: releases.slice(0, mostReleases), form };
}

/** Endpoints that serve a version of the model. */
export function servedBy({ release }: Control, model: string): ServedBy[] {
  return release
    .endpoints()
    .flatMap(({ name, environment, live, rollout }) =>
      [live, rollout].flatMap((each): ServedBy[] =>
        each?.request.model === model
          ? [{ endpoint: name, environment, version: each.request.version, state: each.state }]
          : [],
      ),
    );
}

interface Pages {
  version(visit: Visit, form: FormState): Promise<Response>;
  versions(visit: Visit, form: FormState): Response;
}

/** @param pages that the forms stand on, shown again with what is wrong */
export function standingRoutes({ control }: AdminContext, pages: Pages): AdminRoute[] {
  const { release } = control;
  const write = { method: 'POST', action: 'model.write' } as const;

  async function setNote(visit: Visit, patch: unknown, said: 'note.saved' | 'note.archived' | 'note.restored') {
    const [model, version] = [visit.params.name!, parseVersion(visit.params.version!)];
    const before = release.versionNote(model, version);
    try {
      const after = release.setVersionNote(userOf(visit), model, version, patch);
      visit.note({ before, after });
    } catch (error) {
      const fieldOf = (path: string) => ['tags', 'note'].find((name) => path.startsWith(name));
      const state = withFault(stateOf(visit.form, ['tags', 'note']), error, fieldOf, visit.frame.t);
      return pages.version(visit, state);
    }
    return seeOther(modelPath(model, `/versions/${version}`), { tone: 'good', text: visit.frame.t(said) });
  }

  return [
    {
      ...write,
      path: '/admin/models/:name/versions/:version/note',
      operation: 'setVersionNote',
      answer(visit) {
        const tags = listOf(visit.form.get('tags') ?? '');
        return setNote(visit, { tags, note: visit.form.get('note')?.trim() ?? '' }, 'note.saved');
      },
    },
    {
      ...write,
      path: '/admin/models/:name/versions/:version/archive',
      operation: 'setVersionNote',
      answer: (visit) => setNote(visit, { archived: true }, 'note.archived'),
    },
    {
      ...write,
      path: '/admin/models/:name/versions/:version/restore',
      operation: 'setVersionNote',
      answer: (visit) => setNote(visit, { archived: false }, 'note.restored'),
    },
    {
      ...write,
      path: '/admin/models/:name/retention',
      operation: 'setRetention',
      async answer(visit) {
        const { form, frame } = visit;
        const model = visit.params.name!;
        const state = stateOf(form, ['keepLast', 'keepReleased']);
        const keepLast = createNumbers(form, state, frame.t).optionalWhole('keepLast');
        if (Object.keys(state.errors).length > 0) return pages.versions(visit, state);
        const before = release.retention(model);
        try {
          const patch = { keepLast, keepReleased: form.get('keepReleased') === 'on' };
          const { retention, removed } = await release.setRetention(userOf(visit), model, patch);
          visit.note({ before, after: { ...retention, removed } });
          const { t } = frame;
          const text = removed.length > 0 ? t('retention.removed', { count: removed.length }) : t('retention.saved');
          return seeOther(modelPath(model, '/versions'), { tone: 'good', text });
        } catch (error) {
          const fieldOf = (path: string) => (path === 'keepLast' ? path : undefined);
          return pages.versions(visit, withFault(state, error, fieldOf, frame.t));
        }
      },
    },
    {
      method: 'GET',
      path: '/admin/compare',
      action: 'release.read',
      operation: 'compareVersions',
      answer: (visit) => compare(control, visit),
    },
  ];
}

function compare(control: Control, { frame, url }: Visit) {
  const [a, b] = ['a', 'b'].map((name) => readSubject(url.searchParams.get(name)));
  const subjects = listSubjects(control);
  const shown = { subjects, ...(a && { a }), ...(b && { b }) };
  if (!a || !b) return compareScreen(frame, shown);
  try {
    return compareScreen(frame, { ...shown, differences: control.release.compare(a, b) });
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
    return compareScreen(frame, { ...shown, problem: `${error.message} ${error.hint ?? ''}`.trim() });
  }
}
