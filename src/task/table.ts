// Rows of named or ordered values as a model's input tensor. It knows columns, categories and scaling.
import { AppError } from '../error.ts';
import type { Signature, TableColumn, TabularPreprocess, TensorData, TensorSpec } from '../types.ts';
import { encodeNumbers, inputSpec, isFloat } from './numbers.ts';

export interface Table {
  spec: TensorSpec;
  rowCount: number;
  columnCount: number;
  /** rowCount × columnCount. */
  values: Float64Array;
}

/** Values of a category that an error message lists. */
const maxListed = 10;

/**
 * One number for each column of each row. Objects are read by column name (names that the manifest does not know are
 * left alone), arrays by position. Without a manifest entry each row is an array with as many numbers as the model's
 * input takes.
 * @throws AppError invalid, naming the row (from 1) and the column
 */
export function readTable(rows: unknown[], signature: Signature, preprocess: TabularPreprocess | undefined): Table {
  const spec = inputSpec(signature.inputs, preprocess?.input);
  const columns = preprocess?.columns ?? numberedColumns(spec);
  const values = new Float64Array(rows.length * columns.length);
  for (const [r, row] of rows.entries()) {
    const cells = readRow(row, r + 1, columns, preprocess !== undefined);
    for (const [c, column] of columns.entries()) {
      values[r * columns.length + c] = readCell(cells[c], column, `row ${r + 1}: column '${column.name}'`, spec);
    }
  }
  return { spec, rowCount: rows.length, columnCount: columns.length, values };
}

/** Rows `start` to `end` as a tensor [rows, columns], or [rows] when the input has no second dimension. */
export function tableTensor({ spec, columnCount, values }: Table, start: number, end: number): TensorData {
  const shape = spec.shape.length === 1 && columnCount === 1 ? [end - start] : [end - start, columnCount];
  const part = values.subarray(start * columnCount, end * columnCount);
  return { name: spec.name, datatype: spec.datatype, shape, bytes: encodeNumbers(part, spec.datatype) };
}

function numberedColumns(spec: TensorSpec): TableColumn[] {
  const width = spec.shape.length === 2 ? spec.shape[1]! : -1;
  if (width < 1) {
    throw new AppError(
      'invalid',
      `The manifest has no columns, and input '${spec.name}' [${spec.shape.join(',')}] does not tell how many there are.`,
      'Add preprocess {"kind":"table","columns":[{"name":"age","kind":"number"},…]} to the manifest.',
    );
  }
  return Array.from({ length: width }, (_, i) => ({ name: String(i + 1), kind: 'number' }));
}

function readRow(row: unknown, number: number, columns: TableColumn[], named: boolean): unknown[] {
  if (Array.isArray(row)) {
    if (row.length === columns.length) return row;
    throw new AppError(
      'invalid',
      `row ${number}: has ${row.length} values, but there are ${columns.length} columns`,
      `Give them in this order: ${list(columns.map(({ name }) => name))}.`,
    );
  }
  if (named && typeof row === 'object' && row !== null) {
    return columns.map(({ name }) => (Object.hasOwn(row, name) ? (row as Record<string, unknown>)[name] : undefined));
  }
  throw new AppError(
    'invalid',
    `row ${number}: must be ${named ? 'an object or an array' : 'an array of numbers'}`,
    `The columns are: ${list(columns.map(({ name }) => name))}.`,
  );
}

function readCell(given: unknown, column: TableColumn, where: string, spec: TensorSpec): number {
  const value = given ?? column.fallback;
  if (value === undefined) {
    throw new AppError('invalid', `${where} is missing`, 'Give it a value, or a fallback in the manifest.');
  }
  const number = column.kind === 'category' ? categoryIndex(value, column, where) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw new AppError('invalid', `${where} must be a number`, `It is ${describe(value)}.`);
  }
  const scaled = (number - (column.mean ?? 0)) / (column.std ?? 1);
  if (!isFloat(spec.datatype) && !Number.isSafeInteger(scaled)) {
    throw new AppError(
      'invalid',
      `${where} must be a whole number`,
      `The model's input holds ${spec.datatype} elements.`,
    );
  }
  return scaled;
}

function categoryIndex(value: unknown, { categories = [] }: TableColumn, where: string): number {
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const index = isPlain ? categories.indexOf(String(value)) : -1;
  if (index >= 0) return index;
  throw new AppError(
    'invalid',
    `${where} must be one of its categories`,
    `It is ${describe(value)}; known: ${list(categories)}.`,
  );
}

function describe(value: unknown): string {
  return typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 50);
}

function list(names: string[]): string {
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : '';
  return names.slice(0, maxListed).join(', ') + more;
}
