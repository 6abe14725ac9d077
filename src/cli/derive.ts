// Makes another version of the files of one, with a changed manifest.
import type { VersionsAnswer } from './answers.ts';
import { type Invocation, UsageError } from './command.ts';
import { describeImported } from './importing.ts';
import { readManifest } from './push.ts';
import { parseReference, pathOf } from './reference.ts';

export async function derive({ operands, options, client: connect, report }: Invocation): Promise<void> {
  const reference = parseReference(operands[0]!);
  if (reference.version === undefined) {
    throw new UsageError(
      'Say which version.',
      `Write it as ${reference.name}:1; 'aimass show ${reference.name}' lists them.`,
    );
  }
  const file = options.get('manifest');
  if (file === undefined)
    throw new UsageError('--manifest is missing.', 'It names a JSON file with what is to be otherwise.');
  const body = { manifest: await readManifest(file), load: !options.has('no-load') };
  const answer = await connect().post<VersionsAnswer>(`/api/v1${pathOf(reference)}/derive`, body);
  await report.answer(answer, () => describeImported(answer));
}
