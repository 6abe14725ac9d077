// How far an upload is: a line that is redrawn on a terminal, a line now and then elsewhere. Time is handed in.
import { printable, type Terminal } from './report.ts';
import { fit, formatBytes, formatSeconds } from './text.ts';

const redrawMs = 100;
const remarkMs = 5000;
const barWidth = 20;

export interface Progress {
  /** @param doneBytes of all; less than before when something has to be sent again */
  show: (doneBytes: number) => void;
  /** Takes the redrawn line away. */
  stop: () => void;
  /** Says how it went, after stop. */
  finish: () => void;
}

export function startProgress(
  label: string,
  totalBytes: number,
  terminal: Pick<Terminal, 'err' | 'errorWidth'>,
  now: () => number = () => performance.now(),
): Progress {
  const startedMs = now();
  const { errorWidth } = terminal;
  const name = printable(label);
  let nextMs = errorWidth ? startedMs : startedMs + remarkMs;

  const seconds = () => Math.max((now() - startedMs) / 1000, 0.001);

  return {
    show(doneBytes) {
      if (now() < nextMs) return;
      nextMs = now() + (errorWidth ? redrawMs : remarkMs);
      const text = describe(name, doneBytes, totalBytes, seconds());
      terminal.err(errorWidth ? `\r${fit(bar(doneBytes / totalBytes) + text, errorWidth - 1)}` : `${text}\n`);
    },
    finish() {
      const took = seconds();
      const speed = took < 1 ? '' : ` in ${formatSeconds(took)}, ${formatBytes(Math.round(totalBytes / took))}/s`;
      terminal.err(`sent ${name}: ${formatBytes(totalBytes)}${speed}\n`);
    },
    stop() {
      if (errorWidth) terminal.err(`\r${' '.repeat(errorWidth - 1)}\r`);
    },
  };
}

function describe(name: string, doneBytes: number, totalBytes: number, seconds: number): string {
  const percent = Math.floor((100 * doneBytes) / totalBytes);
  const rate = doneBytes / seconds;
  const parts = [
    `sending ${name}: ${percent} %`,
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(Math.round(rate))}/s`,
    ...(rate > 0 ? [`${formatSeconds((totalBytes - doneBytes) / rate)} left`] : []),
  ];
  return parts.join(', ');
}

function bar(share: number): string {
  const filled = Math.round(share * barWidth);
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] `;
}
