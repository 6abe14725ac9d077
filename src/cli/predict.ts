// Asks a model about a picture or rows through the task API, or about tensors through the Open Inference Protocol.
import { AppError, messageOf } from '../error.ts';
import type { InferAnswer, PredictAnswer } from './answers.ts';
import { type Call, json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { parseReference, pathOf, type Reference } from './reference.ts';
import { type Column, plural, renderTable } from './text.ts';

export async function predict({ operands, options, client, report }: Invocation): Promise<void> {
  const reference = parseReference(operands[0]!);
  const path = operands[1]!;
  const drawing = options.get('draw');
  const isJson = /\.json$/i.test(path);
  if (isJson && drawing !== undefined) throw new UsageError('--draw needs a picture.', `${path} is JSON.`);
  const bytes = await readInput(path);
  const request = isJson ? readRequest(path, bytes) : picture(bytes);
  const { width } = report.terminal;
  if (request.isTensors) {
    const answer = await ask<InferAnswer>(reference, 'v2', 'infer', request.call);
    return report.answer(answer, () => renderTensors(answer));
  }
  const answer = await ask<PredictAnswer>(reference, 'v1', 'predict', request.call);
  if (drawing !== undefined) await draw(bytes, answer, drawing);
  await report.answer(answer, () => renderAnswer(answer, width));

  async function ask<T>(reference: Reference, api: string, verb: string, call: Call): Promise<T> {
    const server = client();
    const target = `/${api}${pathOf(reference)}/${verb}`;
    return server.read<T>(await server.send(target, { ...call, method: 'POST', silenceMs: 0 }));
  }
}

interface Request {
  /** As the Open Inference Protocol sends them. */
  isTensors: boolean;
  call: Call;
}

async function readInput(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Bun.file(path).bytes();
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`);
  }
}

function picture(bytes: Uint8Array<ArrayBuffer>): Request {
  return { isTensors: false, call: { body: bytes, headers: { 'content-type': 'application/octet-stream' } } };
}

function readRequest(path: string, bytes: Uint8Array<ArrayBuffer>): Request {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new UsageError(`${path} is not valid JSON: ${messageOf(error)}`);
  }
  if (Array.isArray(value)) return { isTensors: false, call: json({ rows: value }) };
  if (typeof value !== 'object' || value === null) {
    throw new UsageError(
      `${path} is neither a row nor rows nor tensors.`,
      "'aimass help predict' says what it may be.",
    );
  }
  // Sent as it is: reading and writing it would round large integers.
  const asIs = { headers: { 'content-type': 'application/json' }, body: bytes };
  if ('inputs' in value) return { isTensors: true, call: asIs };
  const isRequest = ['rows', 'row', 'image'].some((key) => key in value);
  return { isTensors: false, call: isRequest ? asIs : json({ row: value }) };
}

async function draw(photo: Uint8Array, answer: PredictAnswer, path: string): Promise<void> {
  const { drawDetections } = await import('../task/draw.ts');
  const png = await drawDetections(photo, answer);
  try {
    await Bun.write(path, png);
  } catch (error) {
    throw new AppError('invalid', `${path} cannot be written: ${messageOf(error)}`);
  }
}

const asNumber = (value: number, digits: number) => String(Number(value.toFixed(digits)));
const percent = (score: number) => `${(100 * score).toFixed(1)} %`;

function renderAnswer(answer: PredictAnswer, width?: number): string {
  const { model, version, timings } = answer;
  const took = `${model}:${version} took ${asNumber(timings.totalMs, 1)} ms, ${asNumber(timings.computeMs, 1)} of them computing.`;
  return [renderFindings(answer, width), ...('note' in answer && answer.note ? [answer.note] : []), '', took].join(
    '\n',
  );
}

function renderFindings(answer: PredictAnswer, width?: number): string {
  switch (answer.task) {
    case 'object-detection':
      return renderObjects(answer, width);
    case 'tabular-regression':
      return renderTable(
        [
          { title: 'ROW', cell: ({ row }) => String(row), isRight: true },
          { title: 'NAME', cell: ({ name }) => name },
          { title: 'VALUE', cell: ({ value }) => String(value), isRight: true },
        ],
        answer.predictions.flatMap(({ values }, i) =>
          Object.entries(values).map(([name, value]) => ({ row: i + 1, name, value })),
        ),
        width,
      );
    default:
      return renderClasses(answer.predictions, width);
  }
}

type Objects = Extract<PredictAnswer, { task: 'object-detection' }>;

function renderObjects({ objects, image }: Objects, width?: number): string {
  const columns: Column<Objects['objects'][number]>[] = [
    { title: 'OBJECT', cell: ({ label }) => label },
    { title: 'SCORE', cell: ({ score }) => percent(score), isRight: true },
    { title: 'X', cell: ({ box }) => asNumber(box.x, 0), isRight: true },
    { title: 'Y', cell: ({ box }) => asNumber(box.y, 0), isRight: true },
    { title: 'WIDTH', cell: ({ box }) => asNumber(box.width, 0), isRight: true },
    { title: 'HEIGHT', cell: ({ box }) => asNumber(box.height, 0), isRight: true },
  ];
  const found = `${plural(objects.length, 'object')} in ${image.width} × ${image.height} pixels`;
  return objects.length > 0 ? `${found}\n${renderTable(columns, objects, width)}` : found;
}

type Classes = Extract<PredictAnswer, { task: 'image-classification' | 'tabular-classification' }>['predictions'];

function renderClasses(predictions: Classes, width?: number): string {
  type Line = { row: number; label: string; score: number };
  const lines = predictions.flatMap(({ classes }, i) =>
    classes.map(({ label, score }): Line => ({ row: i + 1, label, score })),
  );
  const columns: Column<Line>[] = [
    { title: 'CLASS', cell: ({ label }) => label },
    { title: 'SCORE', cell: ({ score }) => percent(score), isRight: true },
  ];
  if (predictions.length > 1) columns.unshift({ title: 'ROW', cell: ({ row }) => String(row), isRight: true });
  return renderTable(columns, lines, width);
}

const maxShown = 10;

function renderTensors({ outputs, model_name, model_version }: InferAnswer): string {
  const lines = outputs.map(({ name, datatype, shape, data }) => {
    const more = data.length > maxShown ? ` … ${data.length} values; --json shows all` : '';
    return `${name} ${datatype} [${shape.join(', ')}]: ${data.slice(0, maxShown).join(' ')}${more}`;
  });
  return [...lines, '', `answered by ${model_name}:${model_version}`].join('\n');
}
