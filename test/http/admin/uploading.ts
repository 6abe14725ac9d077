// Sends files as the page's script does.
import { expect } from 'bun:test';

import type { SignedIn } from './session.ts';

/** @returns what the script writes into the form */
export async function sendFiles({ administrator: ada }: SignedIn, files: Record<string, Uint8Array>): Promise<string> {
  const sent = [];
  for (const [path, bytes] of Object.entries(files)) {
    const json = { 'content-type': 'application/json' };
    const made = await ada.fetch('/api/v1/uploads', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ bytes: bytes.length }),
    });
    const { id } = (await made.json()) as { id: string };
    const headers = { 'upload-offset': '0', 'content-type': 'application/octet-stream' };
    const { status } = await ada.fetch(`/api/v1/uploads/${id}`, {
      method: 'PATCH',
      headers,
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    expect(status).toBe(200);
    sent.push({ uploadId: id, path });
  }
  return JSON.stringify(sent);
}
