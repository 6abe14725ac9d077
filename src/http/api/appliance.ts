// Routes for the appliance itself: what it is, which processes serve, which templates it carries.
import { Elysia } from 'elysia';

import { type Actor, mayDo } from '../../access/actor.ts';
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
        answerImport(context, request, async () => [await control.installTemplate(params.template, body.name)]),
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

/** Where its files lie is nothing for callers of models. */
function viewInfo(control: Control, actor: Actor): Omit<ApplianceInfo, 'dataFolder'> & { dataFolder?: string } {
  const { dataFolder, ...info } = control.info();
  return mayDo(actor, 'settings.read') ? { ...info, dataFolder } : info;
}
