// How a receiver checks that a request comes from here, in the languages that receivers are written in. docs/notifications.md
// has the same; a test runs both.

export const pythonCheck = `import base64, hashlib, hmac, time

def is_genuine(secret, headers, body):
    """secret: "whsec_…"; body: the bytes as they came, before anything parses them."""
    id, at = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{at}.".encode() + body, hashlib.sha256)
    wanted = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split())
`;

export const typescriptCheck = `import { createHmac, timingSafeEqual } from 'node:crypto';

/** @param secret "whsec_…" @param body the text as it came, before anything parses it */
export function isGenuine(secret: string, headers: Headers, body: string): boolean {
  const [id, at] = [headers.get('webhook-id'), headers.get('webhook-timestamp')];
  if (!(Math.abs(Date.now() / 1000 - Number(at)) <= 300)) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const digest = createHmac('sha256', key).update(\`\${id}.\${at}.\${body}\`).digest('base64');
  const wanted = Buffer.from(\`v1,\${digest}\`);
  const given = (headers.get('webhook-signature') ?? '').split(' ').map((each) => Buffer.from(each));
  return given.some((each) => each.length === wanted.length && timingSafeEqual(each, wanted));
}
`;
