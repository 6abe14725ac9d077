// The page of the first start, for those who come by the link, by an old one, and without one.
import { expect, test } from 'bun:test';

import { startAppliance } from '../api/appliance.ts';

test('says what is missing: the link, or a newer one', async () => {
  await using box = await startAppliance();
  const text = async (path: string) => (await fetch(box.url + path)).text();
  expect(await text('/')).toContain('Open the set-up link');
  expect(await text('/setup')).toContain('aimass setup-link');
  expect(await text('/setup')).not.toContain('used already');
  const old = await text('/setup?token=old');
  expect(old).toContain('This set-up link is no longer valid');
  expect(old).not.toContain('<input type="password"');
  expect(await text(box.setupUrl!.slice(box.url.length))).toContain('name="again"');
});
