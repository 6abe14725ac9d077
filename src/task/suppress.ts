// Non-maximum suppression: of boxes of one class that overlap, the one with the highest score stays. Pure.

/** Box by its corners, in any unit. */
export interface Corners {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

export interface Candidate extends Corners {
  classIndex: number;
  score: number;
}

/** Area of the intersection over area of the union; 0 for boxes without area. */
export function overlap(a: Corners, b: Corners): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (area(a) + area(b) - shared);
}

function area({ x1, y1, x2, y2 }: Corners): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

/**
 * The candidates that stay, best first. Greedy, class by class; a box goes when it overlaps a better one of its class by
 * more than maxOverlap.
 */
export function suppress<T extends Candidate>(candidates: T[], maxOverlap: number, maxBoxes: number): T[] {
  const kept: T[] = [];
  for (const candidate of candidates.toSorted((a, b) => b.score - a.score)) {
    if (kept.length >= maxBoxes) break;
    const isCovered = kept.some(
      (better) => better.classIndex === candidate.classIndex && overlap(better, candidate) > maxOverlap,
    );
    if (!isCovered) kept.push(candidate);
  }
  return kept;
}
