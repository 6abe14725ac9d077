// Has versions get more instances when their requests wait, and fewer when those have little to do. What to do is
// autoscale.ts's advice; where the instances run is the fleet's matter.
import type { DecisionLog } from '../device/decisions.ts';
import type { PlacementSettings } from '../device/placement-settings.ts';
import type { Activity } from './activity.ts';
import { adviseScale, defaultScaleRules, type ScaleRules } from './autoscale.ts';
import { type Deployment, isLive, isReady } from './deployment.ts';

export interface ScalerOptions {
  settingsOf(deployment: Deployment): PlacementSettings;
  decisions: Pick<DecisionLog, 'add'>;
  scaleRules?: ScaleRules;
}

export class Scaler {
  /** @param fill gives a version as many instances as are wanted of it, as far as there is room */
  constructor(
    private readonly options: ScalerOptions,
    private readonly fill: (deployment: Deployment) => Promise<void>,
  ) {}

  /** To be called at a steady pace. An instance too many is left to the planner, which ends it when it is idle. */
  look(deployment: Deployment, activity: Activity | undefined): void {
    if (!activity || deployment.unloading || !deployment.members.some(isReady)) return;
    const { minInstances, maxInstances } = this.options.settingsOf(deployment);
    const instances = countLive(deployment);
    const { oldestWaitMs, busyNs } = activity;
    const sample = { nowMs: performance.now(), instances, minInstances, maxInstances, oldestWaitMs, busyNs };
    const advice = adviseScale(sample, deployment.scale, this.options.scaleRules ?? defaultScaleRules);
    deployment.scale = advice.memory;
    if (advice.reason === undefined) return;
    const reason = `from ${instances} to ${advice.instances} instances: ${advice.reason}`;
    deployment.wanted = advice.instances;
    if (advice.instances > instances) void this.grow(deployment, instances, reason);
    else this.note(deployment, reason);
  }

  private async grow(deployment: Deployment, before: number, reason: string): Promise<void> {
    await this.fill(deployment);
    if (countLive(deployment) > before) this.note(deployment, reason);
    else deployment.wanted = before;
  }

  private note({ record: { model, version } }: Deployment, reason: string): void {
    this.options.decisions.add({ kind: 'scaled', model, version, reason });
  }
}

const countLive = ({ members }: Deployment): number => members.filter(isLive).length;
