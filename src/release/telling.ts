// Who is told what of a release, in both languages. Writes nothing down; the notifier does.
import type { UserRole } from '../access/roles.ts';
import type { By } from './release-rows.ts';
import type { Release, ReleaseEvent } from './types.ts';

/** What the notifier takes; its own type is notify/event.ts's. */
export interface ReleaseNews {
  kind: `release.${'submitted' | 'changes-asked' | 'approved' | 'rejected' | 'live' | 'rolled-back' | 'failed' | 'commented'}`;
  title: { en: string; zh: string };
  text: { en: string; zh: string };
  path: string;
  data: Record<string, unknown>;
  recipients: string[];
}

interface Person {
  id: string;
  role: UserRole;
}

type Told = Exclude<ReleaseNews['kind'] extends `release.${infer K}` ? K : never, never>;

const titles: Record<Told, readonly [english: string, chinese: string]> = {
  submitted: ['waits for review', '等待审核'],
  'changes-asked': ['needs changes', '需要修改'],
  approved: ['is approved', '已批准'],
  rejected: ['is rejected', '已拒绝'],
  live: ['is live', '已上线'],
  'rolled-back': ['was rolled back', '已回滚'],
  failed: ['did not start', '启动失败'],
  commented: ['has a new comment', '有新评论'],
};

/** Some events say the same to people. */
const kinds: Partial<Record<ReleaseEvent['kind'], Told>> = {
  submitted: 'submitted',
  'changes-asked': 'changes-asked',
  approved: 'approved',
  rejected: 'rejected',
  live: 'live',
  'rolled-back': 'rolled-back',
  guard: 'rolled-back',
  failed: 'failed',
  commented: 'commented',
};

/** For reviewers, not for whoever asked. */
const forReviewers: ReadonlySet<Told> = new Set<Told>(['submitted', 'rolled-back', 'failed']);

/** @param people who may be told. @returns undefined when nobody wants to hear of it */
export function newsOf(
  release: Release,
  kind: ReleaseEvent['kind'],
  by: By,
  text: string,
  { people, earlier }: { people: readonly Person[]; earlier: readonly ReleaseEvent[] },
): ReleaseNews | undefined {
  const told = kinds[kind];
  if (!told) return undefined;
  const { id, request, requester } = release;
  const { endpoint, environment, model, version } = request;
  const reviewers = people.filter(({ role }) => role === 'reviewer' || role === 'administrator').map((each) => each.id);
  const talking = earlier.filter((each) => each.kind === 'commented').map(({ actor }) => actor.id);
  const wanted = [
    ...(told === 'submitted' ? [] : [requester.id]),
    ...(forReviewers.has(told) ? reviewers : []),
    ...(told === 'commented' ? talking : []),
  ];
  const known = new Set(people.map((each) => each.id));
  const recipients = [...new Set(wanted)].filter((each) => known.has(each) && each !== by.id);
  const [english, chinese] = titles[told];
  const what = `${model}:${version} → ${endpoint}`;
  return {
    kind: `release.${told}`,
    title: { en: `Release ${id} (${what}) ${english}`, zh: `上线申请 ${id}（${what}）${chinese}` },
    text: { en: `${by.name}: ${text}`, zh: `${by.name}：${text}` },
    path: `/admin/releases/${id}`,
    data: { release: id, endpoint, environment, model, version, state: release.state, actor: by.name, reason: text },
    recipients,
  };
}
