// Sends files to a server in parts. After a broken connection it asks how much arrived, and goes on from there.
import { AppError } from '../error.ts';
import type { ImportFile, UploadRecord } from '../registry/registry.ts';
import type { Client } from './client.ts';
import { Unreachable } from './command.ts';
import type { Progress } from './progress.ts';

export interface LocalFile {
  diskPath: string;
  /** As the server is told. */
  path: string;
  bytes: number;
}

export interface UploadOptions {
  partBytes?: number;
  /** Waits before the next try. @param failures how often in a row it failed */
  pause?: (failures: number) => Promise<void>;
}

const usualPartBytes = 64 * 1024 ** 2;
const maxFailures = 8;
const pauseMs = 250;
const longestPauseMs = 15_000;

const pauseLonger = (failures: number) => Bun.sleep(Math.min(pauseMs * 2 ** failures, longestPauseMs));

/** @returns what an import may name. @throws as Client.send does, after removing what had been sent */
export async function uploadFiles(
  client: Client,
  files: readonly LocalFile[],
  progress: Pick<Progress, 'show'>,
  options: UploadOptions = {},
): Promise<ImportFile[]> {
  const sent: ImportFile[] = [];
  let before = 0;
  try {
    for (const file of files) {
      const { id } = await client.post<UploadRecord>('/api/v1/uploads', { bytes: file.bytes });
      sent.push({ uploadId: id, path: file.path });
      await sendFile(client, id, file, (bytes) => progress.show(before + bytes), options);
      before += file.bytes;
    }
  } catch (error) {
    await removeUploads(client, sent);
    throw error;
  }
  return sent;
}

/** What cannot be removed now is removed by the server when it expires. */
export async function removeUploads(client: Client, uploads: readonly ImportFile[]): Promise<void> {
  for (const { uploadId } of uploads) {
    try {
      await client.remove(pathOf(uploadId));
    } catch (error) {
      if (error instanceof Unreachable) return;
    }
  }
}

async function sendFile(
  client: Client,
  id: string,
  file: LocalFile,
  onBytes: (bytes: number) => void,
  { partBytes = usualPartBytes, pause = pauseLonger }: UploadOptions,
): Promise<void> {
  let received = 0;
  let failures = 0;
  while (received < file.bytes) {
    try {
      if (failures > 0) {
        const now = (await client.get<UploadRecord>(pathOf(id))).received;
        if (now > received) failures = 1;
        received = now;
        onBytes(received);
        if (received >= file.bytes) return;
      }
      const next = await sendPart(client, id, file, received, partBytes, onBytes);
      if (next <= received) {
        throw new AppError('invalid', `${file.diskPath} became shorter while it was sent.`, 'Push it again.');
      }
      received = next;
      failures = 0;
    } catch (error) {
      if (!maySucceedLater(error) || ++failures > maxFailures) throw error;
      await pause(failures);
    }
  }
}

/** @returns how much of the file the server has now */
async function sendPart(
  client: Client,
  id: string,
  { diskPath, bytes }: LocalFile,
  offset: number,
  partBytes: number,
  onBytes: (bytes: number) => void,
): Promise<number> {
  let handed = offset;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      handed += chunk.length;
      onBytes(handed);
    },
  });
  const part = Bun.file(diskPath).slice(offset, Math.min(offset + partBytes, bytes));
  const response = await client.send(pathOf(id), {
    method: 'PATCH',
    headers: { 'upload-offset': String(offset), 'content-type': 'application/octet-stream' },
    body: part.stream().pipeThrough(counting),
  });
  return (await client.read<UploadRecord>(response)).received;
}

function pathOf(id: string): string {
  return `/api/v1/uploads/${encodeURIComponent(id)}`;
}

/** Conflict: the server had not yet noticed that the connection before was broken. */
function maySucceedLater(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof AppError && ['conflict', 'overloaded', 'timeout', 'unavailable'].includes(error.code);
}
