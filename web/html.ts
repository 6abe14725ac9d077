// A template tag that escapes what is put into HTML, unless it is HTML already.

export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | string | number | undefined | false | readonly Value[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const written = new WeakMap<TemplateStringsArray, string[]>();

/** Lists are joined, undefined and false leave nothing. Attributes must be quoted in the template. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(withoutIndentation(parts).reduce((text, part, i) => text + render(values[i - 1]) + part));
}

/** The template's own indentation is half of a page's weight; what is put in keeps its own. */
function withoutIndentation(parts: TemplateStringsArray): string[] {
  const known = written.get(parts);
  if (known) return known;
  const lean = parts.map((part) => part.replace(/\n\s+/g, '\n'));
  written.set(parts, lean);
  return lean;
}

function render(value: Value): string {
  if (value instanceof Html) return value.text;
  if (value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(render).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character]!);
}
