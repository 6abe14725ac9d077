// Where models may be fetched from when nobody uploads them: addresses on allowed networks and allowed folders of the
// server. What is fetched becomes uploads; importing them is for others.
import type { Networks } from '../access/networks.ts';
import { AppError } from '../error.ts';
import { type Reach, type Resolve, resolveHost } from '../net/target.ts';
import type { ImportFile, Registry } from '../registry/registry.ts';
import { originOf, parseAddress, plainUrl } from './address.ts';
import { type DownloadParts, openDownload } from './download.ts';
import { ImportFolders, readWhole } from './folders.ts';

/** @param amount how far that step is; without a total where that is not known */
export type OnProgress = (step: string, amount?: { bytes: number; totalBytes?: number }) => void;

export interface Source {
  /** What the settings let an address be. */
  allowed: { url: boolean; path: boolean };
  /**
   * Brings the files of an address here.
   * @param from "https://host/model.onnx", or "/srv/models/m" for a file or folder on the server
   * @param signal ends it; nothing is left then, as after any failure
   * @returns complete uploads, known to nobody else
   * @throws AppError conflict while the settings allow none, forbidden for one that they do not allow, and as the address
   *   deserves
   */
  fetch(from: string, signal: AbortSignal, onProgress?: OnProgress): Promise<ImportFile[]>;
}

export interface SourceParts extends Pick<DownloadParts, 'version' | 'answerMs' | 'pace' | 'ca'> {
  registry: Pick<Registry, 'storeUpload' | 'removeUpload'>;
  networks: Networks;
  /** Absolute, separated by colons. */
  importFolders: string;
  /** Most that all files of an address may have together. */
  maxUploadBytes: number;
  resolve?: Resolve;
}

const tellEveryMs = 500;

export function createSource(parts: SourceParts): Source {
  const { registry, networks, maxUploadBytes, resolve = resolveHost } = parts;
  const folders = new ImportFolders(parts.importFolders.split(':').filter(Boolean));
  const reach: Reach = {
    networks,
    setting: 'import_networks',
    who: 'imports',
    off: 'Importing from addresses is off: no network is named that it may reach.',
  };

  async function fetchUrl(url: URL, signal: AbortSignal, onProgress: OnProgress): Promise<ImportFile[]> {
    onProgress(`Asking ${url.host}`);
    const download = await openDownload(url, { ...parts, reach, resolve }, signal);
    const { name, bytes, body, close } = download;
    const step = `Fetching ${name}`;
    try {
      const told = telling(body, (sum) => onProgress(step, { bytes: sum, totalBytes: bytes }));
      const origin = originOf({ kind: 'url', url });
      return [{ uploadId: (await registry.storeUpload(told, { bytes, origin })).id, path: name }];
    } finally {
      close();
    }
  }

  async function fetchPath(path: string, signal: AbortSignal, onProgress: OnProgress): Promise<ImportFile[]> {
    const origin = originOf({ kind: 'path', path });
    const fetched: ImportFile[] = [];
    let before = 0;
    try {
      for (const found of await folders.list(path)) {
        const file = await folders.open(found);
        try {
          if (before + file.bytes > maxUploadBytes) throw tooLarge(path, maxUploadBytes);
          const step = `Reading ${found.path}`;
          const body = telling(readWhole(file, signal), (sum) => onProgress(step, { bytes: before + sum }));
          const { id } = await registry.storeUpload(body, { bytes: file.bytes, origin });
          fetched.push({ uploadId: id, path: found.path });
          before += file.bytes;
        } finally {
          await file.handle.close();
        }
      }
      return fetched;
    } catch (error) {
      for (const { uploadId } of fetched) await registry.removeUpload(uploadId).catch(() => {});
      throw error;
    }
  }

  return {
    allowed: { url: !networks.isEmpty, path: !folders.isEmpty },
    async fetch(from, signal, onProgress = () => {}) {
      const address = parseAddress(from);
      return address.kind === 'url'
        ? fetchUrl(address.url, signal, onProgress)
        : fetchPath(address.path, signal, onProgress);
    },
  };
}

/** The address as it may be written down: without what may be a secret. @throws AppError invalid */
export function plainAddress(from: string): string {
  const address = parseAddress(from);
  return address.kind === 'url' ? plainUrl(address.url) : address.path;
}

async function* telling(body: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let toldMs = -Infinity;
  for await (const part of body) {
    bytes += part.length;
    const now = performance.now();
    if (now - toldMs >= tellEveryMs) {
      tell(bytes);
      toldMs = now;
    }
    yield part;
  }
}

const tooLarge = (path: string, bytes: number) =>
  new AppError(
    'too_large',
    `${path} has more than the ${bytes} bytes that are allowed.`,
    'Raise the upload limit in the settings.',
  );
