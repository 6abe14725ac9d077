// What a caller of /v2 must be allowed to do, and on which model, from the path alone: asked before anything is read.
import type { Action } from '../../access/roles.ts';

export interface Need {
  action: Action | 'public';
  model?: string;
}

const open: Need = { action: 'public' };

/** @param pathname of /v2 or below. A path that leads nowhere needs what most of them need. */
export function needOf(pathname: string): Need {
  // Decoded segment by segment, as the routes do it: anything else could be read as another path there.
  const [, , group, name, third, , fifth] = pathname.split('/').map(decode);
  if (!group || group === 'health') return open;
  if (group === 'models') {
    if (name === 'stats' && third === undefined) return { action: 'metrics.read' };
    const last = third === 'versions' ? fifth : third;
    const model = name ?? '';
    return { action: last === 'infer' ? 'model.predict' : 'model.describe', model };
  }
  // An index names all models; a key for some of them may not see the others.
  if (group === 'repository' && name === 'index') return { action: 'model.read' };
  return { action: 'model.load', model: third ?? '' };
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
