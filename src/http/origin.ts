// Keeps web pages of other sites from using a visitor's browser to change things here. It looks at headers alone.
import { AppError } from '../error.ts';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Browsers say in `Origin` which site a request comes from; other clients send none and pass.
 * @param isLoopback the server listens on this machine alone. Then a page whose name was rebound to 127.0.0.1 is of
 *   "the same site", so that only names which always mean this machine pass.
 */
export function findForeignOrigin(request: Request, isLoopback: boolean): AppError | undefined {
  if (harmless.has(request.method)) return undefined;
  const origin = request.headers.get('origin');
  if (origin === null) return undefined;
  const host = (request.headers.get('host') ?? '').toLowerCase();
  const isSame = host !== '' && origin.toLowerCase().replace(/^https?:\/\//, '') === host;
  if (isSame && (!isLoopback || isOwnName(host))) return undefined;
  return new AppError(
    'forbidden',
    `Requests from pages of ${origin.slice(0, 100)} are not accepted.`,
    "Open this server's own pages under the address that it listens on.",
  );
}

function isOwnName(host: string): boolean {
  return /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])(:\d+)?$/.test(host);
}
