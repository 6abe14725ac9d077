// Commands about versions beside what they are made of: how two differ, tags and notes, what is kept, how fast one is.
import type { Retention } from '../release/control.ts';
import type { Difference } from '../release/types.ts';
import { filled, oneOf, whole } from '../setting-text.ts';
import type { ModelAnswer } from './answers.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { isSure, readOption } from './reading.ts';
import { formatReference, parseReference, pathOf, type Reference } from './reference.ts';
import type { EvidenceAnswer, NoteAnswer, ReleaseAnswer } from './release-answers.ts';
import { describeDifference } from './release-text.ts';
import { formatTime, plural, renderPairs, wrap } from './text.ts';

export async function compare({ operands, client, report }: Invocation): Promise<void> {
  const [a, b] = operands.map((text) => formatReference(requireVersion(text)));
  const query = new URLSearchParams({ a: a!, b: b! }).toString();
  const answer = await client().get<{ differences: Difference[] }>(`/api/v1/compare?${query}`);
  const { width } = report.terminal;
  await report.answer(answer, () => {
    const { differences } = answer;
    if (differences.length === 0) return `${a} and ${b} are the same.`;
    const breaking = differences.filter(({ weight }) => weight === 'breaking').length;
    const verdict =
      breaking > 0
        ? `${plural(breaking, 'difference')} would break callers of ${a}.`
        : 'Callers send and get the same tensors; what the numbers in them are is not compared.';
    return [...differences.map((each) => wrap(describeDifference(each), width)), '', verdict].join('\n');
  });
}

export async function tag(invocation: Invocation): Promise<void> {
  const { operands, options, client, report } = invocation;
  const [text, ...tags] = operands;
  const reference = requireVersion(text!);
  if (options.has('archive') && options.has('restore')) throw new UsageError('--archive or --restore, not both.');
  if (options.has('untag') && tags.length > 0) throw new UsageError('--untag takes all tags away: name none.');
  const note = options.get('note');
  const patch = {
    ...((tags.length > 0 || options.has('untag')) && { tags }),
    ...(note !== undefined && { note }),
    ...((options.has('archive') || options.has('restore')) && { archived: options.has('archive') }),
  };
  const path = `/api/v1${pathOf(reference)}/note`;
  const server = client();
  const isChange = Object.keys(patch).length > 0;
  const answer = isChange
    ? await server.read<NoteAnswer>(await server.send(path, { method: 'PUT', ...json(patch) }))
    : await server.get<NoteAnswer>(path);
  await report.answer(answer, () =>
    renderPairs(
      [
        ['version', formatReference(reference)],
        ['tags', answer.tags.join(', ') || 'none'],
        ['note', answer.note || 'none'],
        ['archived', answer.archivedAt === null ? 'no' : formatTime(answer.archivedAt)],
      ],
      report.terminal.width,
    ),
  );
}

/** @throws UsageError */
function requireVersion(text: string): Required<Reference> {
  const { name, version } = parseReference(text);
  if (version !== undefined) return { name, version };
  throw new UsageError(`'${text.slice(0, 80)}' names no version.`, `Write it as ${name.slice(0, 80)}:1.`);
}

export async function retention(invocation: Invocation): Promise<number | void> {
  const { operands, client, report } = invocation;
  const { name, version } = parseReference(operands[0]!);
  if (version !== undefined) throw new UsageError('Retention is of the whole model.', `Leave out ':${version}'.`);
  const keepLast = readOption(invocation, 'keep-last', (text) => (text === 'all' ? null : whole(1, 1_000_000)(text)));
  const keepReleased = readOption(invocation, 'keep-released', oneOf(['yes', 'no']));
  const patch = {
    ...(keepLast !== undefined && { keepLast }),
    ...(keepReleased !== undefined && { keepReleased: keepReleased === 'yes' }),
  };
  const path = `/api/v1${pathOf({ name })}/retention`;
  if (Object.keys(patch).length === 0) {
    const kept = await client().get<Retention>(path);
    return report.answer(kept, () => describeRetention(kept));
  }
  const removesAny = keepLast !== undefined && keepLast !== null;
  if ((removesAny || keepReleased === 'no') && !(await isSure(invocation, `Remove old versions of ${name} for good?`)))
    return 1;
  const server = client();
  const answer = await server.read<{ retention: Retention; removed: number[] }>(
    await server.send(path, { method: 'PUT', ...json(patch), silenceMs: 0 }),
  );
  await report.answer(answer, () => {
    const { removed } = answer;
    const gone = removed.length > 0 ? ` Removed: version ${removed.join(', ')}.` : ' Nothing had to be removed.';
    return describeRetention(answer.retention) + gone;
  });
}

function describeRetention({ keepLast, keepReleased }: Retention): string {
  if (keepLast === null) return 'All versions are kept.';
  const released = keepReleased ? ', and those that were ever live' : '';
  return `The newest ${plural(keepLast, 'version')} are kept${released}.`.replace('1 version are', 'version is');
}

export async function loadTest(invocation: Invocation): Promise<void> {
  const { operands, client, report } = invocation;
  const reference = parseReference(operands[0]!);
  const seconds = readOption(invocation, 'seconds', whole(1, 30)) ?? 5;
  const connections = readOption(invocation, 'connections', whole(1, 64)) ?? 4;
  const release = readOption(invocation, 'attach', filled);
  const server = client();
  const version = reference.version ?? (await findVersion(invocation, reference.name));
  const wish = { model: reference.name, version, seconds, connections };
  report.note(`${formatReference({ ...reference, version })} is asked for ${seconds} s …`);
  const evidence = await server.post<EvidenceAnswer>('/api/v1/load-tests', wish);
  const attached = release === undefined ? undefined : `/api/v1/releases/${encodeURIComponent(release)}/evidence`;
  if (attached !== undefined) await server.post<ReleaseAnswer>(attached, evidence);
  await report.answer(evidence, () => {
    const numbers = Object.entries(evidence.numbers ?? {}).map(([name, value]): [string, string] => [
      name,
      String(Math.round(value * 100) / 100),
    ]);
    return [
      evidence.title,
      ...(numbers.length > 0 ? [renderPairs(numbers)] : []),
      ...(evidence.text ? [evidence.text] : []),
      ...(attached === undefined ? [] : [`It is attached to release ${release}.`]),
    ].join('\n');
  });
}

/** The one that answers now, or the newest. */
async function findVersion({ client }: Invocation, name: string): Promise<number> {
  const { current, versions } = await client().get<ModelAnswer>(`/api/v1${pathOf({ name })}`);
  const version = current ?? versions.at(-1)?.version;
  if (version !== undefined) return version;
  throw new UsageError(`'${name.slice(0, 80)}' has no version.`);
}
