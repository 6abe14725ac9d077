// A few threads that turn picture files into tensors, one picture at a time each, started when the first picture comes. A
// JPEG of 12 megapixels to 224² takes 170 to 250 ms on two shared cores, 40 to 80 of them for the resampling: too long for
// the thread that serves requests.
import { availableParallelism } from 'node:os';

import { AppError, type ErrorCode } from '../error.ts';
import { isCompiled } from '../native.ts';
import type { Datatype, ImagePreprocess } from '../types.ts';
import type { ImageTensor } from './image-tensor.ts';

export interface PictureJob {
  picture: Uint8Array;
  preprocess: ImagePreprocess;
  datatype: Datatype;
}

export type PictureReply = { tensor: ImageTensor } | { error: { code?: ErrorCode; message: string; hint?: string } };

// In the binary an entry point lies below /$bunfs/root as it lies below src/; its path is not relative to the importer.
const entry = isCompiled ? '/$bunfs/root/task/image-worker.js' : new URL('./image-worker.ts', import.meta.url).href;

/** Each thread may hold one picture of up to a gigabyte. */
const maxThreads = Math.min(8, Math.max(1, Math.floor(availableParallelism() / 4)));
const maxWaiting = 256;

interface Waiting {
  job: PictureJob;
  resolve: (tensor: ImageTensor) => void;
  reject: (error: unknown) => void;
}

interface Thread {
  worker: Worker;
  current?: Waiting;
}

const waiting: Waiting[] = [];
const threads = new Set<Thread>();

/**
 * Decodes a JPEG, PNG or WebP and prepares it for a model's input.
 * @throws AppError as decodePicture and toImageTensor do; overloaded when too many pictures wait already
 */
export function prepareImage(job: PictureJob): Promise<ImageTensor> {
  if (waiting.length >= maxWaiting) {
    throw new AppError('overloaded', 'Too many pictures wait to be decoded.', 'Send it again in a moment.');
  }
  return new Promise((resolve, reject) => {
    waiting.push({ job, resolve, reject });
    startNext();
  });
}

function startNext(): void {
  const thread = [...threads].find(({ current }) => !current) ?? (threads.size < maxThreads ? addThread() : undefined);
  const next = thread && waiting.shift();
  if (!next) return;
  thread.current = next;
  thread.worker.ref();
  thread.worker.postMessage(next.job, []);
}

function addThread(): Thread {
  const thread: Thread = { worker: new Worker(entry) };
  threads.add(thread);
  thread.worker.addEventListener('message', ({ data }: MessageEvent<PictureReply>) => {
    if ('tensor' in data) thread.current?.resolve(data.tensor);
    else thread.current?.reject(toError(data.error));
    thread.current = undefined;
    // With nothing to do, the process may end although the thread exists.
    thread.worker.unref();
    startNext();
  });
  thread.worker.addEventListener('error', ({ message }) => {
    threads.delete(thread);
    thread.current?.reject(new Error(`The picture thread failed: ${message}`));
    thread.worker.terminate();
    startNext();
  });
  return thread;
}

function toError({ code, message, hint }: { code?: ErrorCode; message: string; hint?: string }): Error {
  return code ? new AppError(code, message, hint) : new Error(message);
}
