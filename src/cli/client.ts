// Talks to a server: over the network, or over the socket in its data folder. Turns the server's errors into our own.
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Config } from '../config.ts';
import { AppError, type ErrorCode, errorCodes, messageOf } from '../error.ts';
import { Unreachable } from './command.ts';

export interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: Bun.BodyInit;
  /** How long the connection may be silent; 0: for ever, for answers that take as long as they take. */
  silenceMs?: number;
}

const usualSilenceMs = 60_000;

export class Client {
  readonly #server: string;
  readonly #key: string;
  readonly #data: string;

  constructor({ server, key, data }: Pick<Config, 'server' | 'key' | 'data'>) {
    this.#server = server;
    this.#key = key;
    this.#data = data;
  }

  /** @throws Unreachable; AppError as the server gave it. The answer is 2xx */
  async send(path: string, { silenceMs = usualSilenceMs, ...call }: Call = {}): Promise<Response> {
    const unix = this.#server ? undefined : this.#socket;
    let response: Response;
    try {
      response = await fetch(`${this.#server || 'http://localhost'}${path}`, {
        ...call,
        headers: { ...call.headers, ...(this.#key && { authorization: `Bearer ${this.#key}` }) },
        timeout: silenceMs,
        // The key is for this server alone.
        redirect: 'manual',
        ...(unix && { unix }),
      });
    } catch (error) {
      throw this.#unreachable(error);
    }
    if (response.ok) return response;
    throw await this.#errorOf(response);
  }

  async get<T>(path: string): Promise<T> {
    return this.read<T>(await this.send(path));
  }

  /** Waits for as long as the server takes. */
  async post<T>(path: string, body?: unknown): Promise<T> {
    return this.read<T>(await this.send(path, { method: 'POST', ...json(body), silenceMs: 0 }));
  }

  async remove(path: string): Promise<void> {
    await this.send(path, { method: 'DELETE' });
  }

  /** @throws Unreachable when it breaks off or is no JSON */
  async read<T>(response: Response): Promise<T> {
    try {
      return (await response.json()) as T;
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  /** The lines of JSON of an answer, as they come. @throws Unreachable when it breaks off or is no JSON */
  async *readLines(response: Response): AsyncGenerator<object> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of response.body ?? []) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line) yield JSON.parse(line) as object;
      }
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  get #socket(): string {
    return join(this.#data, 'aimass.sock');
  }

  #unreachable(error: unknown): Unreachable {
    const reason = (error as { code?: string }).code ?? messageOf(error);
    if (this.#server) {
      return new Unreachable(
        `${this.#server} does not answer (${reason}).`,
        /CERT|SIGNATURE/.test(reason)
          ? 'Its certificate is not known here: name it with NODE_EXTRA_CA_CERTS=FILE (docs/tls.md).'
          : "Is 'aimass serve' running there, and does it --listen on an address of the network?",
      );
    }
    if (!mayRead(this.#data) || (existsSync(this.#socket) && !mayWrite(this.#socket))) {
      return new Unreachable(
        `The server's data folder ${this.#data} is closed to you.`,
        'Run this as the user that the server runs as (sudo -u aimass …), or name its address with --server.',
      );
    }
    if (!existsSync(this.#socket)) {
      return new Unreachable(
        `No server uses the data folder ${this.#data}.`,
        "Is 'aimass serve' running? Name its data folder with --data, or its address with --server.",
      );
    }
    return new Unreachable(`The server of ${this.#data} does not answer (${reason}).`, "Is 'aimass serve' running?");
  }

  async #errorOf(response: Response): Promise<AppError> {
    const text = await response.text().catch(() => '');
    const { code, message, hint } = parseError(text, response.status) ?? {};
    if (code && message) return new AppError(code, message, hint);
    return new Unreachable(
      `${this.#server || this.#socket} answered with ${response.status}, but not as AI Mass does.`,
      'Does --server name the right address? A proxy in between may answer in its place.',
    );
  }
}

export function json(body: unknown): Pick<Call, 'headers' | 'body'> {
  return body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** @returns undefined when the text is no error of AI Mass */
export function findError(value: unknown): AppError | undefined {
  const { error } = (value ?? {}) as { error?: unknown };
  const { code, message, hint } = (error ?? {}) as Record<string, unknown>;
  if (typeof message !== 'string') return undefined;
  const known = errorCodes.find((each) => each === code) ?? 'internal';
  return new AppError(known, message, typeof hint === 'string' ? hint : undefined);
}

function parseError(text: string, status: number): { code: ErrorCode; message: string; hint?: string } | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  // The Open Inference Protocol has a text alone.
  const { error } = (body ?? {}) as { error?: unknown };
  if (typeof error === 'string') return { code: status === 404 ? 'not_found' : 'invalid', message: error };
  return findError(body);
}

const mayWrite = (path: string) => may(path, constants.W_OK);
const mayRead = (folder: string) => !existsSync(folder) || may(folder, constants.X_OK);

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
