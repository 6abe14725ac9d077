// Which step of a rollout follows which, and when. Pure.
import type { RolloutPlan, Stage } from './types.ts';

type NextStage = Omit<Stage, 'startedMs'>;

/** @param hasLive something is live beside it: without that there is nobody to compare with, and nobody else to ask */
export function stageAfter(
  { kind, index }: Pick<Stage, 'kind' | 'index'>,
  plan: RolloutPlan,
  { hasLive, hasSmoke }: { hasLive: boolean; hasSmoke: boolean },
): NextStage | 'live' {
  if (kind === 'starting' && hasSmoke) return { kind: 'smoke', index: 0, percent: 0 };
  if (!hasLive) return 'live';
  if (kind !== 'shadow' && kind !== 'step' && plan.shadow) {
    return { kind: 'shadow', index: 0, percent: plan.shadow.percent };
  }
  const next = kind === 'step' ? index + 1 : 0;
  const step = plan.steps[next];
  return step ? { kind: 'step', index: next, percent: step.percent } : 'live';
}

/** How long a stage lasts at least. */
export function holdMsOf({ kind, index }: Pick<Stage, 'kind' | 'index'>, plan: RolloutPlan): number {
  if (kind === 'shadow') return plan.shadow?.holdMs ?? 0;
  return kind === 'step' ? (plan.steps[index]?.holdMs ?? 0) : 0;
}

/** For a person. */
export function describeStage({ kind, index, percent }: NextStage, plan: RolloutPlan): string {
  switch (kind) {
    case 'starting':
      return 'Its instances are started.';
    case 'smoke':
      return 'It is asked a made-up request.';
    case 'shadow':
      return `It gets ${percent} % of the requests in the shadow.`;
    default:
      return `Step ${index + 1} of ${plan.steps.length}: it answers ${percent} % of the requests.`;
  }
}
