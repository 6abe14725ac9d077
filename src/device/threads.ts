// Deals out intra-op threads to instances: never more than the cores that may be used, and an instance within one NUMA
// node where that can be. Pure arithmetic; starts and pins no thread.

export interface ThreadNode {
  id: number;
  /** Cores of this node that the appliance may run on. */
  cores: number;
}

export interface ThreadWish {
  /** Of the instance. */
  id: string;
  /** Threads that a person set; 0: a share by weight. */
  threads: number;
  /** Share against others, e.g. its load; above 0. */
  weight: number;
}

export interface ThreadShare {
  id: string;
  threads: number;
  /** NUMA nodes whose cores these are; more than one only for a wish larger than what one node has left. */
  nodes: number[];
}

export interface ThreadDeal {
  /** In the order of the wishes. */
  shares: ThreadShare[];
  /** Says so when there are more instances than cores, so that each has one thread and shares its core. */
  oversubscribed?: string;
}

interface Pool {
  id: number;
  free: number;
}

interface Claim {
  id: string;
  weight: number;
  /** Threads it has, of at most `limit`. */
  threads: number;
  limit: number;
}

/**
 * @param nodes with at least one core among them
 * @param limit cores that may be busy at once, e.g. of a cgroup quota; at least 1 is used
 */
export function dealThreads(wishes: readonly ThreadWish[], nodes: readonly ThreadNode[], limit = Infinity): ThreadDeal {
  const pools = poolsWithin(nodes, limit);
  const cores = pools.reduce((sum, { free }) => sum + free, 0);
  const sorted = wishes.toSorted((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1));
  const shares = wishes.length > cores ? dealOneEach(sorted, pools) : dealCores(sorted, pools, cores);
  return {
    shares: wishes.map(({ id }) => shares.get(id)!),
    ...(wishes.length > cores && {
      oversubscribed: `${wishes.length} instances share ${cores} cores, one thread each`,
    }),
  };
}

/** A quota below the number of cores is taken from the nodes with the most. */
function poolsWithin(nodes: readonly ThreadNode[], limit: number): Pool[] {
  const pools = nodes.map(({ id, cores }) => ({ id, free: cores })).toSorted((a, b) => a.id - b.id);
  let surplus = pools.reduce((sum, { free }) => sum + free, 0) - Math.max(1, Math.floor(limit));
  for (; surplus > 0; surplus--) freest(pools).free--;
  return pools;
}

const freest = (pools: readonly Pool[]) => pools.reduce((best, pool) => (pool.free > best.free ? pool : best));

function dealOneEach(wishes: readonly ThreadWish[], pools: Pool[]): Map<string, ThreadShare> {
  const shares = new Map<string, ThreadShare>();
  for (const { id } of wishes) {
    // Below zero it counts how often the node's cores are shared.
    const pool = freest(pools);
    pool.free--;
    shares.set(id, { id, threads: 1, nodes: [pool.id] });
  }
  return shares;
}

/** First what people set, then shares by weight of what is left; everyone has one core from the start. */
function dealCores(wishes: readonly ThreadWish[], pools: Pool[], cores: number): Map<string, ThreadShare> {
  const fixed = wishes.filter(({ threads }) => threads > 0).map((wish) => claim(wish, wish.threads));
  const shared = wishes.filter(({ threads }) => threads <= 0).map((wish) => claim(wish, Infinity));
  fill(fixed, cores - wishes.length);
  return new Map([...seatFixed(fixed, pools), ...seatShared(shared, pools)].map((share) => [share.id, share]));
}

const claim = ({ id, weight }: ThreadWish, limit: number): Claim => ({ id, weight, threads: 1, limit });

/** Gives core after core to whoever has the least for its weight. */
function fill(claims: readonly Claim[], cores: number): void {
  for (let left = cores; left > 0; left--) {
    const open = claims.filter(({ threads, limit }) => threads < limit);
    if (open.length === 0) return;
    open.reduce((best, item) => (item.threads * best.weight < best.threads * item.weight ? item : best)).threads++;
  }
}

/** The largest first, each into the node that it fills best; one that fits no node takes the freest ones. */
function seatFixed(claims: readonly Claim[], pools: Pool[]): ThreadShare[] {
  return claims
    .toSorted((a, b) => b.threads - a.threads)
    .map(({ id, threads }) => {
      const fitting = pools.filter(({ free }) => free >= threads).toSorted((a, b) => a.free - b.free);
      const nodes: number[] = [];
      for (let left = threads; left > 0;) {
        const pool = nodes.length === 0 && fitting[0] ? fitting[0] : freest(pools);
        const taken = Math.min(left, pool.free);
        pool.free -= taken;
        left -= taken;
        nodes.push(pool.id);
      }
      return { id, threads, nodes };
    });
}

/** Each goes where a core is left and its share is largest; then every node's cores are dealt out among its own. */
function seatShared(claims: readonly Claim[], pools: Pool[]): ThreadShare[] {
  const rooms = pools.map((pool) => ({ ...pool, claims: [] as Claim[], weight: 0 }));
  for (const item of claims) {
    const open = rooms.filter((room) => room.claims.length < room.free);
    const share = (room: { free: number; weight: number }) => room.free / (room.weight + item.weight);
    const room = open.reduce((best, other) => (share(other) > share(best) ? other : best));
    room.claims.push(item);
    room.weight += item.weight;
  }
  return rooms.flatMap((room) => {
    fill(room.claims, room.free - room.claims.length);
    return room.claims.map(({ id, threads }) => ({ id, threads, nodes: [room.id] }));
  });
}
