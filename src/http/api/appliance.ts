// Routes for the appliance itself: what it is, which processes serve, which templates it carries.
import { Elysia } from 'elysia';

import { type Actor, mayDo } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import { nameOf } from './access-request.ts';
import { readJson } from './body.ts';
import { type ApiContext, describe } from './context.ts';
import type { ApplianceInfo, Control } from './control.ts';
import { answerImport } from './importing.ts';
import { installBody } from './schemas.ts';

export function applianceRoutes(context: ApiContext) {
  const { control, limits } = context;
  return new Elysia({ normalize: false })
    .get('/api/v1', ({ request }) => viewInfo(control, context.asker(request).actor), {
      detail: describe({
        id: 'getInfo',
        action: 'model.list',
        tag: 'Appliance',
        summary: 'This server',
        answer: { schema: 'Info' },
      }),
    })
    .get('/api/v1/instances', () => ({ instances: control.instances() }), {
      detail: describe({
        id: 'listInstances',
        action: 'instance.read',
        tag: 'Appliance',
        summary: 'Processes that serve models',
        answer: { schema: 'InstanceList' },
      }),
    })
    .get(
      '/api/v1/instances/:instance/log',
      ({ params }) => ({ lines: control.instanceLog(getInstance(control, params.instance).id) }),
      {
        detail: describe({
          id: 'getInstanceLog',
          action: 'instance.read',
          tag: 'Appliance',
          summary: 'The last lines that an instance printed, oldest first',
          answer: { schema: 'InstanceLog' },
          errors: ['not_found'],
        }),
      },
    )
    .post(
      '/api/v1/instances/:instance/restart',
      async ({ request, params }) => {
        const { id, model, version } = getInstance(control, params.instance);
        context.note(request, { target: `${model}:${version}`, after: { instance: id } });
        context.keepOpen(request);
        await control.restartInstance(id, nameOf(context.asker(request).actor));
        return new Response(null, { status: 204 });
      },
      {
        detail: describe({
          id: 'restartInstance',
          action: 'instance.restart',
          tag: 'Appliance',
          summary: 'End an instance when it has computed what it has, and start another in its place',
          errors: ['not_found', 'conflict', 'unavailable'],
        }),
      },
    )
    .get('/api/v1/templates', () => ({ templates: control.templates() }), {
      detail: describe({
        id: 'listTemplates',
        action: 'template.read',
        tag: 'Appliance',
        summary: 'Models that come with the appliance',
        answer: { schema: 'TemplateList' },
      }),
    })
    .post(
      '/api/v1/templates/:template/install',
      ({ request, params, body }) =>
        answerImport(context, request, async () => [await control.installTemplate(params.template, body.name)], {
          template: params.template,
        }),
      {
        parse: ({ request }) => readJson(request, limits),
        body: installBody,
        detail: describe({
          id: 'installTemplate',
          action: 'template.install',
          tag: 'Appliance',
          summary: 'Make a model of a template and serve it',
          answer: { status: 201, schema: 'Versions' },
          errors: ['invalid', 'not_found'],
        }),
      },
    );
}

/** @throws AppError not_found */
function getInstance(control: Control, id: string) {
  const found = control.instances().find((instance) => instance.id === id);
  if (found) return found;
  throw new AppError('not_found', 'There is no such instance.', 'It has ended; the list shows those that run.');
}

/** Where its files lie is nothing for callers of models. */
function viewInfo(control: Control, actor: Actor): Omit<ApplianceInfo, 'dataFolder'> & { dataFolder?: string } {
  const { dataFolder, ...info } = control.info();
  return mayDo(actor, 'settings.read') ? { ...info, dataFolder } : info;
}
