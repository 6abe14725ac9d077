// Asks a version a question made up from its signature and looks at the answer. Knows nothing of releases.
import { AppError } from '../error.ts';
import { makeInputs } from '../inference/made-up.ts';
import { hasNonFinite } from '../inference/notes.ts';
import type { DataPlane } from '../inference/plane.ts';
import type { VersionRoute } from '../inference/routing.ts';
import type { TensorData } from '../types.ts';

export type SmokeResult =
  | { outcome: 'passed' | 'no-answer-expected'; text: string }
  /** It failed where the one that is live does not. */
  | { outcome: 'failed'; text: string };

/** For variable dimensions. */
const guesses = [8, 1, 64, 224];
const deadlineMs = 30_000;

/** @param beside what is live now: what it does not answer either is no fault of the new one */
export async function smoke(
  plane: Pick<DataPlane, 'infer'>,
  route: VersionRoute,
  beside?: VersionRoute,
): Promise<SmokeResult> {
  let refusal = '';
  for (const guess of guesses) {
    const inputs = makeInputs(route.signature, 1, guess);
    if (!inputs) continue;
    const answer = await ask(plane, route, inputs);
    if (answer.outcome === 'refused') {
      refusal = answer.text;
      continue;
    }
    if (answer.outcome === 'good') return { outcome: 'passed', text: 'It answered a made-up request.' };
    const usual = beside && (await ask(plane, beside, inputs));
    if (usual?.outcome === answer.outcome) {
      return { outcome: 'no-answer-expected', text: `${answer.text} What is live now does the same.` };
    }
    return { outcome: 'failed', text: answer.text };
  }
  // Indices, lengths and the like cannot be made up.
  return { outcome: 'no-answer-expected', text: `It takes no made-up request: ${refusal}` };
}

interface Answer {
  outcome: 'good' | 'refused' | 'not-finite' | 'broken';
  text: string;
}

async function ask(plane: Pick<DataPlane, 'infer'>, route: VersionRoute, inputs: TensorData[]): Promise<Answer> {
  // Without its traffic rules: this one is asked, and nobody in its stead.
  const { fallback: _, shadow: __, ...alone } = route;
  try {
    const signal = AbortSignal.timeout(deadlineMs);
    const isFinite = await plane.infer(alone, { inputs, signal }, (outputs) => !outputs.some(hasNonFinite));
    return isFinite
      ? { outcome: 'good', text: '' }
      : { outcome: 'not-finite', text: 'Its answer to a made-up request holds NaN or an infinity.' };
  } catch (error) {
    const { code, message } = error instanceof AppError ? error : { code: 'internal', message: String(error) };
    const isRefusal = code === 'model_failed' || code === 'invalid';
    return { outcome: isRefusal ? 'refused' : 'broken', text: message };
  }
}
