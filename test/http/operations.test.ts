// The pages and the API call the same act the same: what a page does is an operation of the API, and asks for the same right.
import { afterAll, beforeAll, expect, test } from 'bun:test';

import { adminRoutes } from '../../src/http/admin/routes.ts';
import type { ApiDocument } from '../../src/http/openapi.ts';
import { startAppliance } from './api/appliance.ts';

let appliance: Awaited<ReturnType<typeof startAppliance>>;
let actions: Map<string, string>;
/** No page is opened: the routes only keep what they are given. */
const pages = adminRoutes({ control: {}, access: { audit: {} } } as never);

beforeAll(async () => {
  appliance = await startAppliance();
  const { body } = await appliance.ask<ApiDocument>('GET', '/openapi.json');
  const operations = Object.values(body.paths).flatMap((methods) => Object.values(methods));
  actions = new Map(
    operations.map((operation) => [operation.operationId, (operation as { 'x-action'?: string })['x-action'] ?? '']),
  );
});
afterAll(async () => await appliance[Symbol.asyncDispose]());

test('every form does something that the API does too, for whom the API does it', () => {
  const forms = pages.filter(({ method }) => method === 'POST');
  expect(forms.length).toBeGreaterThan(20);
  expect(forms.filter(({ operation = '' }) => !actions.has(operation)).map(({ path }) => path)).toEqual([]);
  // The form is there for those who may save it; strangers and everybody's own affairs differ in name alone.
  const alike = new Set(['previewPlacement', 'setPreferences', 'setPassword', 'signOut', 'endSession']);
  const unlike = forms.filter(
    ({ operation = '', action }) => !alike.has(operation) && actions.get(operation) !== action,
  );
  expect(unlike.map(({ path, action }) => `${path}: ${action}`)).toEqual([]);
});

test('every page that not everybody may see is called as the API calls what it shows', () => {
  const closed = pages.filter(
    ({ method, action }) => method === 'GET' && !['public', 'signed-in', 'account.own'].includes(action),
  );
  expect(closed.length).toBeGreaterThan(20);
  expect(closed.filter(({ operation = '' }) => !actions.has(operation)).map(({ path }) => path)).toEqual([]);
});
