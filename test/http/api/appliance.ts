// A whole appliance in a folder of its own, on a port of its own: the API is tested as clients meet it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ApplianceParts, openAppliance } from '../../../src/app.ts';
import { type Config, loadConfig } from '../../../src/config.ts';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export async function startAppliance(settings: Partial<Config> = {}, parts: ApplianceParts = {}) {
  const data = mkdtempSync(join(tmpdir(), 'aimass-api-'));
  const { config } = loadConfig({ argv: ['--data', data], env: {}, isRoot: false, readFile: () => undefined });
  const chosen: Config = { ...config, listen: '127.0.0.1:0', logLevel: 'error', ...settings };
  const appliance = await openAppliance(chosen, parts);
  const { url, setupUrl } = appliance;
  const unix = join(data, 'aimass.sock');
  return {
    url,
    data,
    setupUrl,
    config: chosen,
    /** As this machine's administrator. */
    fetch: (path: string, init?: RequestInit) => fetch(url + path, { ...init, unix }),
    /** @param body a string or bytes as they are, anything else as JSON */
    async ask<T = unknown>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const isRaw = typeof body === 'string' || body instanceof Uint8Array;
      const response = await fetch(url + path, {
        unix,
        method,
        headers: { ...(body !== undefined && !isRaw && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: isRaw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== '';
      const answer = { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
      return answer as Answer<T>;
    },
    async [Symbol.asyncDispose]() {
      await appliance.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
