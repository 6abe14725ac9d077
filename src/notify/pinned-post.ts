// One POST to an address that was chosen before. Reads no more of the answer than is worth keeping.
import type { IncomingMessage } from 'node:http';

import { type PinnedRequest, requestPinned } from '../net/pinned-request.ts';

const mostAnswerBytes = 1024;

export interface PostAnswer {
  status: number;
  /** The first KiB. */
  text: string;
}

/** Rejects with the connection's own error. */
export async function postPinned(post: Omit<PinnedRequest, 'method'>): Promise<PostAnswer> {
  const response = await requestPinned({ ...post, method: 'POST' });
  return { status: response.statusCode ?? 0, text: await readStart(response) };
}

async function readStart(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    // Leaving the loop ends the connection.
    if (bytes >= mostAnswerBytes) break;
  }
  return Buffer.concat(parts).subarray(0, mostAnswerBytes).toString();
}
