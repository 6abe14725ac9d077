// Attributes of an element from data: escaped, and left out when undefined or false.
import { Html, html } from './html.ts';

export type AttributeValue = string | number | boolean | undefined;

/** true stands alone (`required`), "" is kept. The names are the caller's own words, never a person's. */
export function attributes(values: Record<string, AttributeValue>): Html {
  const written = Object.entries(values).map(([name, value]) => {
    if (value === undefined || value === false) return '';
    return value === true ? ` ${name}` : html` ${name}="${value}"`.text;
  });
  return new Html(written.join(''));
}
