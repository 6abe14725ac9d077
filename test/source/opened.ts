// The room on a registry of its own, and servers that give files well and badly.
import { createServer, type Socket } from 'node:net';

import { parseNetworks } from '../../src/access/networks.ts';
import type { RegistryOptions } from '../../src/registry/store.ts';
import { createSource, type SourceParts } from '../../src/source/source.ts';
import { type Opened, openTemporary } from '../registry/opened.ts';

export interface OpenedSource extends Opened {
  /** Fetches and reads what came of it, by name. */
  contents(from: string, parts?: Partial<SourceParts>): Promise<Record<string, string>>;
  fetch(
    from: string,
    parts?: Partial<SourceParts>,
    signal?: AbortSignal,
  ): ReturnType<ReturnType<typeof createSource>['fetch']>;
}

export const mostBytes = 64 * 1024 * 1024;

export async function openSource(
  given: Partial<SourceParts> = {},
  limits: Partial<RegistryOptions> = {},
): Promise<OpenedSource> {
  const it = await openTemporary(limits);
  const fetch: OpenedSource['fetch'] = (from, parts = {}, signal = new AbortController().signal) =>
    createSource({
      registry: it.registry,
      networks: parseNetworks(['127.0.0.0/8']),
      importFolders: '',
      maxUploadBytes: mostBytes,
      version: '0.0.0',
      ...given,
      ...parts,
    }).fetch(from, signal);
  return {
    ...it,
    fetch,
    async contents(from, parts) {
      const files = await fetch(from, parts);
      const read = files.map(async ({ uploadId, path }) => {
        const text = await Bun.file(`${it.folder}/uploads/${uploadId}`).text();
        await it.registry.removeUpload(uploadId);
        return [path, text] as const;
      });
      return Object.fromEntries(await Promise.all(read));
    },
  };
}

export interface RawServer {
  url: string;
  /** What the last client asked. */
  asked(): string;
  /** Resolves when a client has gone. */
  gone: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param answer called when a request has come, and may write whatever it likes */
export async function openRaw(answer: (socket: Socket, count: number) => void): Promise<RawServer> {
  let asked = '';
  let count = 0;
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      resolve();
    });
    socket.once('data', (data) => {
      asked = data.toString();
      answer(socket, count++);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    asked: () => asked,
    gone,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

export const head = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n');
