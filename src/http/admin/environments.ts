// The pages of environments: both beside each other, and the form of each.
import type { Html } from '../../../web/html.ts';
import type { FreezeTimes } from '../../../web/release-views.ts';
import { environmentFormScreen, environmentsScreen } from '../../../web/screens/environments.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { findFreeze, nextBegin } from '../../release/calendar.ts';
import { type Environment, environmentNames, type Freeze } from '../../release/types.ts';
import type { Control } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import { fieldOfEnvironment, readEnvironmentForm, valuesOfEnvironment } from './environment-form.ts';
import { withFault } from './faults.ts';
import { nameDevice } from './machine.ts';
import { type AdminRoute, retry, seeOther, userOf, type Visit } from './visit.ts';

export function environmentRoutes({ control }: AdminContext): AdminRoute[] {
  const { release } = control;
  return [
    {
      method: 'GET',
      path: '/admin/environments',
      action: 'environment.read',
      operation: 'listEnvironments',
      answer: ({ frame }) =>
        environmentsScreen(frame, {
          devices: control.machine().devices.map(nameDevice),
          environments: release.environments().map((environment) => ({
            environment,
            freezes: environment.settings.freezes.map((freeze) => timesOf(freeze, frame.nowMs)),
            ...usedOf(control, environment),
          })),
        }),
    },
    {
      method: 'GET',
      path: '/admin/environments/:environment',
      action: 'environment.write',
      operation: 'getEnvironment',
      answer(visit) {
        const environment = getEnvironment(control, visit);
        return showForm(control, visit, environment, {
          values: valuesOfEnvironment(environment.settings),
          errors: {},
        });
      },
    },
    {
      method: 'POST',
      path: '/admin/environments/:environment',
      action: 'environment.write',
      operation: 'setEnvironment',
      answer: (visit) => save(control, visit),
    },
  ];
}

/** @throws AppError not_found */
function getEnvironment({ release }: Control, { params }: Visit): Environment {
  const name = environmentNames.find((each) => each === params.environment);
  const found = release.environments().find((each) => each.name === name);
  if (found) return found;
  throw new AppError('not_found', 'There is no such environment.', `There are ${environmentNames.join(' and ')}.`);
}

function save(control: Control, visit: Visit): Response {
  const { form, frame } = visit;
  const before = getEnvironment(control, visit);
  const { patch, state } = readEnvironmentForm(form, frame.t, before.settings);
  if (Object.keys(state.errors).length > 0) return retry(showForm(control, visit, before, state));
  // A page that was made before the first change has revision 0.
  const given = form.get('revision') ?? '';
  const revision = /^\d{1,9}$/.test(given) ? Number(given) : before.revision;
  try {
    const after = control.release.setEnvironment(userOf(visit), before.name, patch, revision);
    visit.note({ before: before.settings, after: after.settings });
  } catch (error) {
    const isStale = error instanceof AppError && error.code === 'conflict';
    if (isStale) return retry(showForm(control, visit, before, state, true));
    return retry(showForm(control, visit, before, withFault(state, error, fieldOfEnvironment, frame.t)));
  }
  const name = frame.t(`environment.${before.name}`);
  return seeOther('/admin/environments', { tone: 'good', text: frame.t('environment.saved', { name }) });
}

function showForm(
  control: Control,
  { frame }: Visit,
  environment: Environment,
  form: FormState,
  isStale = false,
): Html {
  const { freezes, deviceIds } = environment.settings;
  const named = control.machine().devices.map(nameDevice);
  const gone = (deviceIds ?? []).filter((id) => !named.some((device) => device.id === id));
  return environmentFormScreen(frame, {
    environment,
    form,
    devices: [...named, ...gone.map((id) => ({ id, label: id }))],
    freezes: freezes.map((freeze) => timesOf(freeze, frame.nowMs)),
    isStale,
  });
}

function timesOf(freeze: Freeze, nowMs: number): FreezeTimes {
  const untilMs = findFreeze([freeze], nowMs)?.untilMs;
  const nextMs = nextBegin(freeze, nowMs);
  return { ...(untilMs !== undefined && { untilMs }), ...(nextMs !== undefined && { nextMs }) };
}

/** As quotas count: what every endpoint there may have at most. */
function usedOf({ release }: Control, { name }: Environment): { endpoints: number; instances: number } {
  const endpoints = release.endpoints().filter(({ environment }) => environment === name);
  const served = endpoints.flatMap(({ live, rollout }) => [live, rollout].filter((each) => each !== undefined));
  return {
    endpoints: endpoints.length,
    instances: served.reduce((sum, { request }) => sum + request.maxInstances, 0),
  };
}
