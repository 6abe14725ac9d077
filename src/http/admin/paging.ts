// Cuts a long list into pages, by what the address asks for.
import type { Page } from '../../../web/view-types.ts';

/** Rows of a page. */
export const pageSize = 50;

/** @param url `page` in its query is the number of the page, from 1; what is no such number is the nearest that is */
export function cutPage<Row>(all: readonly Row[], url: URL): { rows: Row[]; page: Page } {
  const last = Math.max(1, Math.ceil(all.length / pageSize));
  const number = Math.min(last, readPageNumber(url));
  const rows = all.slice((number - 1) * pageSize, number * pageSize);
  return { rows, page: { number, size: pageSize, total: all.length } };
}

/** @returns at least 1, whatever the query says */
export function readPageNumber(url: URL): number {
  const wanted = Math.trunc(Number(url.searchParams.get('page') ?? 1)) || 1;
  return Math.min(1_000_000, Math.max(1, wanted));
}

/** @returns the number in the query, for a log that is read from the newest on; undefined for the first page */
export function readBefore(url: URL): number | undefined {
  const before = Number(url.searchParams.get('before') ?? 0);
  return Number.isSafeInteger(before) && before > 0 ? before : undefined;
}

/** One row more was read than is shown, to know whether there is more. */
export function cutLog<Row>(rows: readonly Row[], shown: number): { rows: Row[]; isLast: boolean } {
  return { rows: rows.slice(0, shown), isLast: rows.length <= shown };
}
