// The pages of releases: the list with what waits for whoever looks, and the page of each with everything that may be done.
import type { Html } from '../../../web/html.ts';
import { releaseScreen } from '../../../web/screens/release.ts';
import { releasePath, releasesScreen } from '../../../web/screens/releases.ts';
import type { TextKey } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { type Actor, mayDo, requireAction } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import { environmentNames, type Release, releaseStates } from '../../release/types.ts';
import { parseVersion } from '../api/context.ts';
import type { Control } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import { empty } from './entry.ts';
import { withFault } from './faults.ts';
import { nameDevice, outcomeOf } from './machine.ts';
import { cutLog, readBefore } from './paging.ts';
import { readPiece, stateOfForm } from './release-form.ts';
import { runLoadTest } from './release-request.ts';
import { type AdminRoute, retry, seeOther, userOf, type Visit } from './visit.ts';

const pageSize = 50;
const change = { method: 'POST', action: 'release.request' } as const;
const decide = { method: 'POST', action: 'release.review' } as const;

/** Those that this person may decide, the oldest first. */
export function waitingFor({ release }: Control, actor: Actor): Release[] {
  if (!mayDo(actor, 'release.review')) return [];
  const fourEyes = new Set(release.environments().flatMap(({ name, settings }) => (settings.fourEyes ? [name] : [])));
  const isOwn = ({ requester }: Release) => actor.kind === 'user' && requester.id === actor.id;
  return release
    .releases({ state: 'submitted', limit: 200 })
    .filter((each) => !isOwn(each) || !fourEyes.has(each.request.environment))
    .toReversed();
}

function showReleases(control: Control, { frame, url, asker }: Visit): Html {
  const asked = (name: string) => url.searchParams.get(name)?.trim().slice(0, 128) ?? '';
  const state = releaseStates.find((each) => each === asked('state'));
  const environment = environmentNames.find((each) => each === asked('environment'));
  const endpoint = asked('endpoint');
  const before = readBefore(url);
  const filter = { state: state ?? '', environment: environment ?? '', endpoint };
  const found = control.release.releases({
    state,
    environment,
    endpoint: endpoint || undefined,
    before,
    limit: pageSize + 1,
  });
  const { rows, isLast } = cutLog(found, pageSize);
  const isPlain = before === undefined && Object.values(filter).every((value) => value === '');
  return releasesScreen(frame, {
    rows,
    waiting: isPlain ? waitingFor(control, asker.actor) : [],
    filter,
    ...(!isLast && { before: rows.at(-1)!.id }),
    isFirstPage: before === undefined,
  });
}

async function showRelease(control: Control, visit: Visit, form: FormState = empty): Promise<Html> {
  const { frame, params, asker } = visit;
  const review = await control.release.review(asker.actor, parseVersion(params.id!));
  const { placement, release } = review;
  const { actor } = asker;
  return releaseScreen(frame, {
    review,
    ...(placement && { outcome: outcomeOf(control, placement) }),
    devices: control.machine().devices.map(nameDevice),
    form,
    isOwn: actor.kind === 'user' && actor.id === release.requester.id,
  });
}

/** What becomes of a release, and the words for it. */
type Work = (visit: Visit, id: number, reason: string) => Promise<TextKey & `release.did.${string}`>;

export function releaseRoutes({ control, keepOpen }: AdminContext): AdminRoute[] {
  const { release } = control;

  /** What is refused is said on the page, which keeps the words that were written. */
  const doing =
    (work: Work, faultOf: (path: string) => string | undefined = fieldOfDecision) =>
    async (visit: Visit): Promise<Response> => {
      const id = parseVersion(visit.params.id!);
      const before = release.get(id);
      visit.note({ target: String(id), before: { state: before.state } });
      try {
        const done = await work(visit, id, visit.form.get('reason')?.trim() ?? '');
        visit.note({ after: { state: release.get(id).state, reason: visit.form.get('reason') || undefined } });
        return seeOther(releasePath(id), { tone: 'good', text: visit.frame.t(done as 'release.did.approved') });
      } catch (error) {
        const state = stateOfForm(visit.form);
        if (error instanceof AppError && error.code === 'forbidden') {
          const refused = { ...state, errors: { '': `${error.message} ${error.hint ?? ''}`.trim() } };
          return retry(await showRelease(control, visit, refused));
        }
        return retry(await showRelease(control, visit, withFault(state, error, faultOf, visit.frame.t)));
      }
    };

  /** @throws AppError invalid, in the reader's language */
  const required = ({ frame }: Visit, reason: string): string => {
    if (reason !== '') return reason;
    throw new AppError('invalid', `reason: ${frame.t('review.needsReason')}`);
  };

  const override = doing(async (visit, id, reason) => {
    await release.approve(userOf(visit), id, { override: required(visit, reason) });
    return 'release.did.approved';
  });
  return [
    {
      method: 'GET',
      path: '/admin/releases',
      action: 'release.read',
      operation: 'listReleases',
      answer: (visit) => showReleases(control, visit),
    },
    {
      method: 'GET',
      path: '/admin/releases/:id',
      action: 'release.read',
      operation: 'getReview',
      answer: (visit) => showRelease(control, visit),
    },
    {
      ...change,
      path: '/admin/releases/:id/submit',
      operation: 'submitRelease',
      answer: doing(async (visit, id) => {
        const { state } = await release.submit(userOf(visit), id);
        return state === 'submitted' ? 'release.did.submitted' : 'release.did.started';
      }),
    },
    {
      ...change,
      path: '/admin/releases/:id/withdraw',
      operation: 'withdrawRelease',
      answer: doing(async (visit, id, reason) => {
        release.withdraw(userOf(visit), id, reason);
        return 'release.did.withdrawn';
      }),
    },
    {
      method: 'POST',
      path: '/admin/releases/:id/comment',
      action: 'release.comment',
      operation: 'commentRelease',
      async answer(visit) {
        const id = parseVersion(visit.params.id!);
        visit.note({ target: String(id) });
        try {
          release.comment(userOf(visit), id, visit.form.get('text')?.trim() ?? '');
        } catch (error) {
          const fieldOf = (path: string) => (path === 'text' ? path : undefined);
          return retry(
            await showRelease(control, visit, withFault(stateOfForm(visit.form), error, fieldOf, visit.frame.t)),
          );
        }
        return seeOther(`${releasePath(id)}#history`);
      },
    },
    {
      ...change,
      action: 'release.comment',
      path: '/admin/releases/:id/evidence',
      operation: 'attachEvidence',
      answer: doing(
        async (visit, id) => {
          const piece = readPiece(visit.form, visit.frame.nowMs);
          if (typeof piece === 'string') throw new AppError('invalid', `evidence: ${visit.frame.t(piece)}`);
          release.attach(userOf(visit), id, piece);
          return 'release.did.attached';
        },
        () => 'evidence',
      ),
    },
    {
      ...change,
      action: 'model.try',
      path: '/admin/releases/:id/load-test',
      operation: 'testLoad',
      answer: doing(async (visit, id) => {
        keepOpen(visit.request);
        release.attach(userOf(visit), id, await runLoadTest(control, visit, release.get(id).request));
        return 'release.did.attached';
      }),
    },
    {
      ...decide,
      path: '/admin/releases/:id/approve',
      operation: 'approveRelease',
      answer: doing(async (visit, id, reason) => {
        const revision = Number(visit.form.get('revision')) || undefined;
        await release.approve(userOf(visit), id, { ...(reason !== '' && { comment: reason }), revision });
        return 'release.did.approved';
      }),
    },
    {
      ...decide,
      path: '/admin/releases/:id/override',
      operation: 'approveRelease',
      answer(visit) {
        requireAction(visit.asker.actor, 'release.override');
        return override(visit);
      },
    },
    {
      ...decide,
      path: '/admin/releases/:id/reject',
      operation: 'rejectRelease',
      answer: doing(async (visit, id, reason) => {
        release.reject(userOf(visit), id, required(visit, reason));
        return 'release.did.rejected';
      }),
    },
    {
      ...decide,
      path: '/admin/releases/:id/ask-changes',
      operation: 'askChanges',
      answer: doing(async (visit, id, reason) => {
        release.askChanges(userOf(visit), id, required(visit, reason));
        return 'release.did.asked';
      }),
    },
    {
      method: 'POST',
      path: '/admin/releases/:id/advance',
      action: 'release.rollback',
      operation: 'advanceRelease',
      answer: doing(async (visit, id) => {
        // Two clicks are not two steps.
        await release.advance(userOf(visit), id, { sinceMs: Number(visit.form.get('since')) || undefined });
        return 'release.did.advanced';
      }),
    },
  ];
}

function fieldOfDecision(path: string): string | undefined {
  return path === 'reason' || path === 'comment' ? 'reason' : undefined;
}
