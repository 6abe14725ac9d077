// What of releases needs somebody: for each who looks only what is theirs to do, and of what went wrong only what has had
// no successor.
import { describe, expect, test } from 'bun:test';

import type { Actor } from '../../../src/access/actor.ts';
import type { UserRole } from '../../../src/access/roles.ts';
import { releaseAttention } from '../../../src/http/admin/release-attention.ts';
import type { Control } from '../../../src/http/api/control.ts';
import type { EndpointStatus, ReleaseControl, ReleaseFilter } from '../../../src/release/control.ts';
import type { Endpoint, Release, ReleaseEvent } from '../../../src/release/types.ts';
import { sampleEndpoint, sampleEnvironments, sampleRelease, sampleRequest } from '../../web/release-samples.ts';
import { nowMs } from '../../web/samples.ts';

const hour = 3_600_000;
const actor = (role: UserRole, id = role as string): Actor => ({ kind: 'user', id, name: id, role });
const by = (id: string) => ({ requester: { id, name: id } });

function told(
  all: Release[],
  who: Actor,
  endpoint?: Partial<Endpoint>,
  events: Partial<ReleaseEvent>[] = [],
): string[] {
  const endpoints = [sampleEndpoint('x', endpoint)];
  const release: Partial<ReleaseControl> = {
    environments: () => sampleEnvironments('x'),
    releases: ({ state }: ReleaseFilter = {}) => all.filter((each) => each.state === state),
    endpoints: () => endpoints,
    endpoint: () => ({ endpoint: endpoints[0]!, events }) as unknown as EndpointStatus,
  };
  const control = { release } as unknown as Control;
  return releaseAttention(control, who, nowMs).map(({ kind, id }) => `${kind} ${id}`);
}

describe('a request that waits', () => {
  const waiting = sampleRelease('x', 'submitted', { id: 3, ...by('olga') });

  test('is for reviewers, but not for who asked where four eyes are needed', () => {
    expect(told([waiting], actor('reviewer'))).toEqual(['release-waiting 3']);
    expect(told([waiting], actor('administrator', 'olga'))).toEqual([]);
    expect(told([waiting], actor('owner'))).toEqual([]);
    const staged = { ...waiting, request: sampleRequest('x', { environment: 'staging' }) };
    expect(told([staged], actor('administrator', 'olga'))).toEqual(['release-waiting 3']);
  });

  test('needs who asked once changes are asked for', () => {
    const changes = sampleRelease('x', 'changes-asked', { id: 4, ...by('olga') });
    expect(told([changes], actor('owner', 'olga'))).toEqual(['release-changes 4']);
    expect(told([changes], actor('owner'))).toEqual([]);
  });
});

describe('what went wrong', () => {
  const ended = { endedMs: nowMs - hour };
  const off = sampleRelease('x', 'rolled-back', { id: 20, ...ended });
  const guard = [{ release: 20, kind: 'guard' as const }];

  test('is told when the guard did it, not when a person did', () => {
    expect(told([off], actor('viewer'), {}, guard)).toEqual(['release-off 20']);
    expect(told([off], actor('viewer'), {}, [{ release: 20, kind: 'rolled-back' }])).toEqual([]);
  });

  test('is told for a day, and until another release follows', () => {
    expect(told([{ ...off, endedMs: nowMs - 25 * hour }], actor('viewer'), {}, guard)).toEqual([]);
    const live = sampleRelease('x', 'live', { id: 21 });
    expect(told([off], actor('viewer'), { live }, guard)).toEqual([]);
    const failed = sampleRelease('x', 'failed', { id: 19, ...ended });
    expect(told([failed], actor('viewer'))).toEqual(['release-off 19']);
    expect(told([failed], actor('viewer'), { live })).toEqual([]);
  });

  test('comes before what is on its way', () => {
    const rolling = sampleRelease('x', 'rolling-out', { id: 5 });
    expect(told([rolling, off], actor('viewer'), {}, guard)).toEqual(['release-off 20', 'release-rolling 5']);
  });
});
