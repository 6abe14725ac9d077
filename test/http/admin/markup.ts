// Markup that somebody may enter, and the check that a page shows it as text.
import { expect } from 'bun:test';

import { html } from '../../../web/html.ts';
import type { Shown } from './session.ts';

export const attacks = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus='alert(1)",
  '</title></textarea></script><svg onload=alert(1)>',
];

/** No element or attribute of an attack is in the page. */
export function expectUnharmed({ text }: Shown): void {
  const found: string[] = [];
  new HTMLRewriter()
    .on('*', {
      element(element) {
        const names = [...(element.attributes as unknown as Iterable<[string, string]>)].map(([name]) => name);
        found.push(...names.filter((name) => name.startsWith('on') || name === 'style'));
        if (element.tagName === 'img' && element.getAttribute('src') === 'x') found.push('img');
        if (
          element.tagName === 'script' &&
          !element.hasAttribute('src') &&
          element.getAttribute('type') !== 'application/json'
        ) {
          found.push('script');
        }
      },
    })
    .transform(text);
  // A page that shows nothing would pass too.
  expect(text).toContain('</html>');
  expect(found).toEqual([]);
}

/** The page shows the text, and shows it as text. */
export function expectText(shown: Shown, entered: string): void {
  expect(shown.text).toContain(html`${entered}`.text);
  expectUnharmed(shown);
}
