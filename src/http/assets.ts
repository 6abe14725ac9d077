// Scripts and styles of the pages. An address that names the present hash may be kept for ever.
import { assets } from '../../web/assets.ts';

const forEver = 'public, max-age=31536000, immutable';

export function assetResponse(request: Request, pathname: string): Response {
  const asset = assets.get(pathname.slice('/assets/'.length));
  if (!asset) return new Response('Not Found\n', { status: 404 });
  const etag = `"${asset.hash}"`;
  const headers = {
    'content-type': asset.type,
    'cache-control': request.url.endsWith(`v=${asset.hash}`) ? forEver : 'no-cache',
    'x-content-type-options': 'nosniff',
    etag,
  };
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers });
  return new Response(asset.body, { headers });
}
