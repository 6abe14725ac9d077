// Routes that move a release on: to review, back, through the decision, and from step to step of its rollout.
import { Elysia } from 'elysia';

import { requireAction } from '../../access/actor.ts';
import type { Release } from '../../release/types.ts';
import { readSmallJson } from './access-request.ts';
import { type ApiContext, describe, type OperationText } from './context.ts';
import { advanceBody, approveBody, commentBody, evidenceBody, reasonBody, withdrawBody } from './release-bodies.ts';
import { parseRelease, readEvidence, readReleaseJson } from './release-request.ts';
import { viewEvent, viewEvidence, viewRelease } from './release-views.ts';

export function releaseStepRoutes(context: ApiContext) {
  return new Elysia({ normalize: false })
    .use(requesterRoutes(context))
    .use(talkRoutes(context))
    .use(reviewerRoutes(context))
    .use(approvalRoutes(context));
}

/** Does it, and notes what became of the release. */
function createStep({ control: { release }, note }: ApiContext) {
  return async (
    request: Request,
    params: { release: string },
    step: (id: number) => Release | Promise<Release>,
    said: object = {},
  ) => {
    const id = parseRelease(params.release);
    const before = release.get(id).state;
    const after = await step(id);
    note(request, { before: { state: before }, after: { state: after.state, ...said } });
    return viewRelease(after);
  };
}

function describeStep(id: string, action: OperationText['action'], summary: string, description?: string) {
  return describe({
    id,
    action,
    tag: 'Releases',
    summary,
    ...(description !== undefined && { description }),
    answer: { schema: 'Release' },
    errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
  });
}

function requesterRoutes(context: ApiContext) {
  const { control, limits, asker, keepOpen } = context;
  const { release } = control;
  const step = createStep(context);
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/releases/:release/submit',
      ({ request, params }) => {
        keepOpen(request);
        return step(request, params, (id) => release.submit(asker(request).actor, id));
      },
      {
        parse: 'none',
        detail: describeStep(
          'submitRelease',
          'release.request',
          'Send a draft to review',
          'Where no review is needed and all checks are green it is approved at once.',
        ),
      },
    )
    .post(
      '/api/v1/releases/:release/withdraw',
      ({ request, params, body: { reason = '' } }) =>
        step(request, params, (id) => release.withdraw(asker(request).actor, id, reason), { reason }),
      {
        parse,
        body: withdrawBody,
        detail: describeStep('withdrawRelease', 'release.request', 'Take back what was asked for'),
      },
    );
}

function talkRoutes({ control: { release }, limits, asker, note }: ApiContext) {
  const parse = ({ request }: { request: Request }) => readReleaseJson(request, limits);
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/releases/:release/comments',
      ({ request, params, body: { text } }) => {
        const event = release.comment(asker(request).actor, parseRelease(params.release), text);
        note(request, { after: { text } });
        return Response.json(viewEvent(event), { status: 201 });
      },
      {
        parse,
        body: commentBody,
        detail: describe({
          id: 'commentRelease',
          action: 'release.comment',
          tag: 'Releases',
          summary: 'Say something about a release',
          answer: { status: 201, schema: 'ReleaseEvent' },
          errors: ['invalid', 'forbidden', 'not_found'],
        }),
      },
    )
    .post(
      '/api/v1/releases/:release/evidence',
      ({ request, params, body }) => {
        const evidence = readEvidence(body, Date.now());
        const after = release.attach(asker(request).actor, parseRelease(params.release), evidence);
        note(request, { after: viewEvidence(evidence) });
        return Response.json(viewRelease(after), { status: 201 });
      },
      {
        parse,
        body: evidenceBody,
        detail: describe({
          id: 'attachEvidence',
          // To one's own, or as a reviewer: the control looks.
          action: 'release.comment',
          tag: 'Releases',
          summary: 'Attach what speaks for a release: numbers, a text, a link',
          answer: { status: 201, schema: 'Release' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict', 'too_large'],
        }),
      },
    );
}

function reviewerRoutes(context: ApiContext) {
  const { control, limits, asker } = context;
  const { release } = control;
  const step = createStep(context);
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/releases/:release/ask-changes',
      ({ request, params, body: { reason } }) =>
        step(request, params, (id) => release.askChanges(asker(request).actor, id, reason), { reason }),
      {
        parse,
        body: reasonBody,
        detail: describeStep('askChanges', 'release.review', 'Give it back to be changed'),
      },
    )
    .post(
      '/api/v1/releases/:release/reject',
      ({ request, params, body: { reason } }) =>
        step(request, params, (id) => release.reject(asker(request).actor, id, reason), { reason }),
      {
        parse,
        body: reasonBody,
        detail: describeStep('rejectRelease', 'release.review', 'Reject a release'),
      },
    );
}

function approvalRoutes(context: ApiContext) {
  const { control, limits, asker, keepOpen } = context;
  const { release } = control;
  const step = createStep(context);
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/releases/:release/approve',
      ({ request, params, body }) => {
        const { actor } = asker(request);
        if (body.override !== undefined) requireAction(actor, 'release.override');
        keepOpen(request);
        return step(request, params, (id) => release.approve(actor, id, body), body);
      },
      {
        parse,
        body: approveBody,
        detail: describeStep(
          'approveRelease',
          'release.review',
          'Approve a release: from here everything happens by itself',
          'With a check that is red it is refused, unless `override` says why that does not matter.',
        ),
      },
    )
    .post(
      '/api/v1/releases/:release/advance',
      ({ request, params, body: { since } }) => {
        keepOpen(request);
        const sinceMs = since === undefined ? undefined : Date.parse(since);
        return step(request, params, (id) => release.advance(asker(request).actor, id, { sinceMs }));
      },
      {
        parse,
        body: advanceBody,
        detail: describeStep('advanceRelease', 'release.rollback', 'Go to the next step of a rollout now'),
      },
    );
}
