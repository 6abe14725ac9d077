// What this server is: release, runtime, machine, and whose work is built in, each with its licence.
import os from 'node:os';

import { aboutScreen } from '../../../web/screens/system.ts';
import type { AboutView } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { runtimeVersion } from '../../version.ts';
import type { AdminContext } from './context.ts';
import { listEmbedded } from './embedded.ts' with { type: 'macro' };
import type { AdminRoute, Visit } from './visit.ts';

const embedded = listEmbedded();

export function aboutRoutes({ control }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/about',
      action: 'signed-in',
      answer({ frame }) {
        const titles = new Map(control.templates().map(({ name, title }) => [name, `${title} (${name})`]));
        const parts = embedded.map(({ text, ...part }) => ({
          ...part,
          name: titles.get(part.name) ?? part.name,
          ...(text && { href: textPath(part) }),
        }));
        return aboutScreen(frame, { facts: factsOf(control, frame), parts });
      },
    },
    {
      method: 'GET',
      path: '/admin/about/licences/:part',
      action: 'signed-in',
      answer({ params }) {
        const part = embedded.find((each) => idOf(each) === params.part);
        if (part?.text === undefined) throw new AppError('not_found', 'There is no such component.');
        const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
        return new Response(part.text, { headers });
      },
    },
  ];
}

const idOf = ({ name, version }: { name: string; version: string }) => `${name}@${version}`;

const textPath = (part: { name: string; version: string }) => `/admin/about/licences/${encodeURIComponent(idOf(part))}`;

function factsOf(control: AdminContext['control'], { t, viewer }: Visit['frame']): AboutView['facts'] {
  const { version, startedAt, listen, dataFolder } = control.info();
  const { host } = control.machine();
  return [
    { label: t('about.release'), value: `AI Mass ${version}` },
    { label: t('about.runtime'), value: `ONNX Runtime ${runtimeVersion}` },
    { label: t('about.program'), value: `Bun ${Bun.version}` },
    { label: t('about.started'), value: t.time(Date.parse(startedAt)) },
    { label: t('about.address'), value: listen },
    { label: t('about.host'), value: os.hostname() },
    { label: t('about.system'), value: `${os.type()} ${os.release()} ${os.arch()}` },
    { label: t('about.processor'), value: `${host.name} · ${t('about.cores', { count: host.cores })}` },
    ...(viewer?.may('settings.read') ? [{ label: t('about.data'), value: dataFolder }] : []),
  ];
}
