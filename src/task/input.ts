// What a client sent, by its first bytes and its content type, as input for a task. It knows nothing of HTTP beyond the
// content type's text.
import { AppError } from '../error.ts';
import type { TaskName } from '../types.ts';
import { findFormat } from './picture.ts';
import type { TaskInput } from './predict.ts';

const accepted: Record<TaskName, string> = {
  tensor: 'Call it with tensors at /v2/models/{model}/infer.',
  'image-classification': 'Send the bytes of a JPEG, PNG or WebP, or JSON {"image":"<base64>"}.',
  'object-detection': 'Send the bytes of a JPEG, PNG or WebP, or JSON {"image":"<base64>"}.',
  'tabular-classification': 'Send JSON {"rows":[{"column":1.5},…]} or {"row":{"column":1.5}}.',
  'tabular-regression': 'Send JSON {"rows":[{"column":1.5},…]} or {"row":{"column":1.5}}.',
};

/**
 * A picture is known by its bytes, whatever the content type says; anything else must be JSON.
 * @throws AppError invalid with a hint that lists what this task takes
 */
export function taskInputOf(task: TaskName, contentType: string | null, body: Uint8Array): TaskInput {
  if (findFormat(body)) return { kind: 'image', bytes: body };
  const isJson = /^(application\/(json|[\w.+-]+\+json)|text\/json)\b/i.test(contentType ?? 'application/json');
  if (body.length === 0 || !isJson) {
    const what = body.length === 0 ? 'The request is empty.' : `The request is ${contentType}, not a picture or JSON.`;
    throw new AppError('invalid', what, accepted[task]);
  }
  return inputOfJson(task, parse(task, body));
}

function parse(task: TaskName, body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new AppError('invalid', 'The request is neither a picture nor valid JSON.', accepted[task]);
  }
}

/** @throws AppError invalid unless there is exactly one of rows, row and image */
export function inputOfJson(task: TaskName, json: unknown): TaskInput {
  const given = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  const { rows, row, image } = given;
  const present = [rows, row, image].filter((value) => value !== undefined).length;
  if (present === 1) {
    if (Array.isArray(rows)) return { kind: 'rows', rows };
    if (row !== undefined) return { kind: 'rows', rows: [row] };
    if (typeof image === 'string') return { kind: 'image', bytes: fromBase64(task, image) };
  }
  throw new AppError('invalid', "The JSON must have one of 'rows', 'row' and 'image'.", accepted[task]);
}

/** Also takes a data URL. */
function fromBase64(task: TaskName, text: string): Uint8Array {
  const start = text.startsWith('data:') ? text.indexOf(',') + 1 : 0;
  const bytes = Buffer.from(text.slice(start), 'base64');
  if (!findFormat(bytes)) throw new AppError('invalid', "'image' is not a picture in base64.", accepted[task]);
  return bytes;
}
