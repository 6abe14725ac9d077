// The pages of endpoints: the list, the page of each, and the way back.
import { networkInterfaces } from 'node:os';

import type { Callee } from '../../../web/call-examples.ts';
import type { Html } from '../../../web/html.ts';
import type { EndpointView } from '../../../web/release-views.ts';
import { endpointScreen } from '../../../web/screens/endpoint.ts';
import { endpointsScreen } from '../../../web/screens/endpoints.ts';
import { endpointPath, versionName } from '../../../web/screens/releases.ts';
import { AppError } from '../../error.ts';
import type { EndpointStatus } from '../../release/control.ts';
import type { Control } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import { type AdminRoute, retry, seeOther, userOf, type Visit } from './visit.ts';

/** A start that takes longer goes on while the person looks at the page. */
const patienceMs = 30_000;

export function endpointRoutes({ control, keepOpen }: AdminContext): AdminRoute[] {
  const { release, traffic } = control;
  return [
    {
      method: 'GET',
      path: '/admin/endpoints',
      action: 'endpoint.read',
      operation: 'listEndpoints',
      answer: ({ frame }) =>
        endpointsScreen(frame, {
          rows: release.endpoints().map((endpoint) => ({
            endpoint,
            ...((endpoint.live ?? endpoint.rollout) && { now: traffic.now(endpoint.name) }),
          })),
        }),
    },
    {
      method: 'GET',
      path: '/admin/endpoints/:name',
      action: 'endpoint.read',
      operation: 'getEndpoint',
      answer: (visit) => showEndpoint(control, visit),
    },
    {
      method: 'POST',
      path: '/admin/endpoints/:name/rollback',
      action: 'release.rollback',
      operation: 'rollBack',
      async answer(visit) {
        const name = visit.params.name!;
        keepOpen(visit.request);
        try {
          return await rollBack(control, visit, name);
        } catch (error) {
          if (!(error instanceof AppError) || error.code === 'internal' || error.code === 'not_found') throw error;
          return retry(showEndpoint(control, visit, `${error.message} ${error.hint ?? ''}`.trim()));
        }
      },
    },
    {
      method: 'POST',
      path: '/admin/endpoints/:name/remove',
      action: 'endpoint.write',
      operation: 'removeEndpoint',
      async answer(visit) {
        const name = visit.params.name!;
        await release.removeEndpoint(userOf(visit), name);
        return seeOther('/admin/endpoints', { tone: 'good', text: visit.frame.t('endpoint.removed', { name }) });
      },
    },
  ];
}

async function rollBack({ release }: Control, visit: Visit, name: string): Promise<Response> {
  const { form, frame } = visit;
  const { endpoint } = release.endpoint(name);
  const to = form.get('to');
  const reason = form.get('reason')?.trim();
  const before = endpoint.rollout ?? endpoint.live;
  visit.note({ target: name, before: { release: before?.id } });
  const work = release.rollback(userOf(visit), name, {
    ...(to !== undefined && { to: Number(to) }),
    ...(reason && { reason }),
  });
  const served = await Promise.race([work, Bun.sleep(patienceMs)]);
  visit.note({ after: { release: served?.id, reason } });
  const text =
    served && served.state === 'live'
      ? frame.t('endpoint.rolledBack', { version: versionName(served.request), endpoint: name })
      : frame.t('endpoint.rolloutEnded', { endpoint: name });
  return seeOther(endpointPath(name), { tone: 'good', text });
}

function showEndpoint(control: Control, visit: Visit, problem?: string): Html {
  const name = visit.params.name!;
  const status = control.release.endpoint(name);
  const callee = calleeOf(control, visit, status);
  return endpointScreen(visit.frame, {
    status,
    histories: historiesOf(control, status),
    seen: standOf(status),
    ...(callee && { callee }),
    address: addressOf(visit),
    problem,
  });
}

/** Those that compute answers. */
export function servingSides({ sides }: EndpointStatus): EndpointStatus['sides'] {
  return sides.filter(({ role }) => role !== 'warm');
}

export function historiesOf({ traffic }: Control, status: EndpointStatus): EndpointView['histories'] {
  const { name } = status.endpoint;
  return servingSides(status).map((side) => ({
    label: versionName(side),
    points: traffic.history(name, side.version),
  }));
}

/** Another text whenever other versions serve, or other shares, or the rollout is elsewhere. */
export function standOf({ sides, endpoint }: EndpointStatus): string {
  const { stage, state = 'none', id = 0 } = endpoint.rollout ?? endpoint.live ?? {};
  const where = stage ? `${stage.kind}.${stage.index}` : '';
  return [
    `${id}.${state}.${where}`,
    ...sides.map(({ release, role, share }) => `${release}.${role}.${Math.round(share * 1000)}`),
  ].join('-');
}

/** How what is live is called, under the endpoint's own host where it has one. */
function calleeOf({ registry }: Control, { asker, url }: Visit, { endpoint }: EndpointStatus): Callee | undefined {
  const served = (endpoint.live ?? endpoint.rollout)?.request;
  const isThere =
    served &&
    registry.listModels().some(({ name, versions }) => name === served.model && versions.includes(served.version));
  if (!isThere) return undefined;
  const { manifest, signature } = registry.getVersion(served.model, served.version);
  const port = url.port === '' ? '' : `:${url.port}`;
  const host = endpoint.hosts[0] === undefined ? url.host : `${endpoint.hosts[0]}${port}`;
  return { origin: `${asker.isSecure ? 'https' : 'http'}://${host}`, name: endpoint.name, manifest, signature };
}

/** As the browser reached this server, where that is an address; else the first of the machine's own. */
function addressOf({ url }: Visit): string {
  const isAddress = /^(?:\d{1,3}\.){3}\d{1,3}$/.test(url.hostname) && !url.hostname.startsWith('127.');
  if (isAddress) return url.hostname;
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? url.hostname;
}
