// The log of sign-ins, the failed ones too.
import { signInsScreen } from '../../../web/screens/audit.ts';
import type { AdminContext } from './context.ts';
import { cutLog, readBefore } from './paging.ts';
import type { AdminRoute } from './visit.ts';

const shown = 50;

export function signInRoutes({ access: { signOns } }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/sign-ins',
      action: 'sign-on.read',
      operation: 'listSignOns',
      answer({ frame, url }) {
        const name = url.searchParams.get('name')?.trim().slice(0, 100) ?? '';
        const before = readBefore(url);
        const found = signOns.list({ ...(name && { name }), before, limit: shown + 1 });
        const { rows, isLast } = cutLog(found, shown);
        return signInsScreen(frame, {
          rows: rows.map(({ address, ...row }) => ({ ...row, from: address })),
          name,
          isFirstPage: before === undefined,
          ...(!isLast && { before: rows.at(-1)!.id }),
        });
      },
    },
  ];
}
