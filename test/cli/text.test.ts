// Tables, numbers and progress as a terminal shows them.
import { expect, test } from 'bun:test';

import { startProgress } from '../../src/cli/progress.ts';
import { createReport } from '../../src/cli/report.ts';
import { formatBytes, formatSeconds, renderPairs, renderTable } from '../../src/cli/text.ts';

const columns = [
  { title: 'NAME', cell: ({ name }: { name: string; size: number }) => name },
  { title: 'SIZE', cell: ({ size }: { name: string; size: number }) => String(size), isRight: true },
];
const rows = [
  { name: 'face-detection-in-large-photos', size: 7 },
  { name: '人脸检测模型', size: 123456 },
  { name: 'two\nlines', size: 1 },
];

test('columns are aligned, wide characters too', () => {
  const lines = renderTable(columns, rows).split('\n');
  expect(new Set(lines.map((line) => Bun.stringWidth(line)))).toEqual(new Set([38]));
  expect(lines).toHaveLength(1 + rows.length);
  expect(lines[2]).toStartWith('人脸检测模型 ');
  expect(lines[3]).toStartWith('two lines ');
});

test('a table fits the terminal, and its numbers stay whole', () => {
  const lines = renderTable(columns, rows, 20).split('\n');
  for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(20);
  expect(lines[1]).toBe('face-detect…       7');
  expect(lines[2]).toEndWith(' 123456');
});

test('long texts go on below where they began', () => {
  const text = renderPairs(
    [
      ['a', 'one two three four five six'],
      ['long', 'x'],
    ],
    28,
  );
  expect(text).toBe('a     one two three four\n      five six\nlong  x');
});

test('numbers as people read them', () => {
  expect([0, 1023, 1024, 1536, 5 * 1024 ** 3].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '5.0 GiB',
  ]);
  expect([0.2, 59, 61, 3720].map(formatSeconds)).toEqual(['0 s', '59 s', '1 min 1 s', '1 h 2 min']);
});

test('nothing that a model says reaches the terminal as a control sequence', async () => {
  const evil = 'a\u001b]0;title\u0007b\u009b31mc\rd\u007f';
  let shown = '';
  const terminal = { out: async (text: string) => void (shown += text), err: (text: string) => void (shown += text) };
  const report = createReport(terminal, false);
  report.note(evil);
  await report.answer({ evil }, () => evil);
  await createReport(terminal, true).answer({ evil }, () => '');
  expect(shown.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  expect(JSON.parse(shown.slice(shown.indexOf('{')))).toEqual({ evil });
});

function drawnProgress(errorWidth?: number) {
  let shown = '';
  let nowMs = 0;
  const progress = startProgress(
    'model.onnx',
    100 * 1024,
    { err: (text) => void (shown += text), errorWidth },
    () => nowMs,
  );
  for (const percent of [0, 10, 20, 50, 90, 100]) {
    nowMs += 2000;
    progress.show(percent * 1024);
  }
  progress.stop();
  progress.finish();
  return shown;
}

test('progress is redrawn on a terminal, within its width', () => {
  const drawn = drawnProgress(60);
  const [redrawn, end] = drawn.split(/\r(?=sent)/);
  const states = redrawn!.split('\r').filter((state) => state.trim());
  expect(states).toHaveLength(6);
  expect(Math.max(...states.map((state) => Bun.stringWidth(state)))).toBeLessThan(60);
  expect(states[3]).toContain('[##########..........] sending model.onnx: 50 %');
  expect(drawnProgress(200)).toContain('50.0 KiB of 100.0 KiB, 6.3 KiB/s, 8 s left');
  expect(end).toBe('sent model.onnx: 100.0 KiB in 12 s, 8.3 KiB/s\n');
});

test('without a terminal progress is a line now and then', () => {
  const lines = drawnProgress().trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toStartWith('sending model.onnx: 20 %, 20.0 KiB of 100.0 KiB');
  expect(lines.join('')).not.toContain('\r');
});
