// Numbers, tables and paragraphs as people read them in a terminal. Knows nothing of models.

const bytesPerStep = 1024;
const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= bytesPerStep && unit < byteUnits.length - 1) {
    value /= bytesPerStep;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${byteUnits[unit]}`;
}

export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Digits in groups of three. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** Local time, to the minute. */
export function formatTime(iso: string): string {
  return new Date(iso).toLocaleString('sv').slice(0, 16);
}

/** Local time, to the second. */
export function formatInstant(iso: string): string {
  return new Date(iso).toLocaleString('sv');
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string;
  /** Numbers stand at the right. */
  isRight?: boolean;
}

const gap = '  ';
const narrowest = 5;

/**
 * A table with one line for each row.
 * @param width the widest texts, but no numbers, are cut until the table fits; undefined: nothing is cut
 */
export function renderTable<Row>(columns: Column<Row>[], rows: readonly Row[], width?: number): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => oneLine(cell(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => Bun.stringWidth(line[i]!))));
  const room = (width ?? Infinity) - gap.length * (columns.length - 1);
  const widest = () => Math.max(...widths.filter((_, i) => !columns[i]!.isRight));
  const cuttable = (size: number) => widths.findIndex((each, i) => each === size && !columns[i]!.isRight);
  while (sum(widths) > room && widest() > narrowest) widths[cuttable(widest())]!--;
  return lines
    .map((line) =>
      line
        .map((cell, i) => fit(cell, widths[i]!, columns[i]!.isRight))
        .join(gap)
        .trimEnd(),
    )
    .join('\n');
}

/** Names and what belongs to them, side by side; long texts go on below where they began. */
export function renderPairs(pairs: readonly (readonly [name: string, text: string])[], width = 100): string {
  const indent = Math.max(...pairs.map(([name]) => Bun.stringWidth(name))) + gap.length;
  const room = Math.max(width - indent, 20);
  return pairs
    .map(([name, text]) => fit(name, indent) + wrap(text, room).replaceAll('\n', `\n${' '.repeat(indent)}`))
    .map((line) => line.trimEnd())
    .join('\n');
}

export function wrap(text: string, width = 100): string {
  return Bun.wrapAnsi(text, width);
}

export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, gap);
}

/** Cut to a width, and filled with spaces up to it. */
export function fit(text: string, width: number, isRight = false): string {
  const shown = Bun.sliceAnsi(text, 0, width, '…');
  const padding = ' '.repeat(Math.max(0, width - Bun.stringWidth(shown)));
  return isRight ? padding + shown : shown + padding;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
