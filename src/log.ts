// One JSON object a line on standard error, where systemd's journal picks it up.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
let threshold = rank.info;

export function setLogLevel(level: LogLevel): void {
  threshold = rank[level];
}

/** Fields are written as they are: never pass a secret or a request body. */
export function log(level: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
  if (rank[level] < threshold) return;
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
}
