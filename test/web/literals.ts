// The texts of errors in a source file: of `new AppError(code, message, hint)` and `field.fail(problem, hint)`, with "X1" in
// place of what is put in. Texts that are put together elsewhere are not found.

/** @returns messages and hints as a person reads them */
export function literals(source: string): string[] {
  const found = new Set<string>();
  for (const [marker, first] of [
    ['new AppError(', 1],
    ['.fail(', 0],
  ] as const) {
    for (let at = source.indexOf(marker); at >= 0; at = source.indexOf(marker, at + 1)) {
      const [message, hint] = argumentsOf(source, at + marker.length).slice(first, first + 2);
      const isProblem = marker === '.fail(';
      for (const text of textsOf(message)) found.add(isProblem ? `X1 ${text}.` : text);
      for (const text of textsOf(hint)) found.add(text);
    }
  }
  return [...found].filter((text) => /[a-z]{3} [a-z]/i.test(text));
}

/** The source of each argument of a call whose parenthesis was opened before `start`. */
function argumentsOf(source: string, start: number): string[] {
  const list = [''];
  let depth = 0;
  for (let at = start; at < source.length;) {
    const letter = source[at]!;
    if (letter === '"' || letter === "'" || letter === '`') {
      const end = endOfText(source, at);
      list.push(`${list.pop()}${source.slice(at, end)}`);
      at = end;
      continue;
    }
    if ('([{'.includes(letter)) depth++;
    if (')]}'.includes(letter) && depth-- === 0) break;
    if (letter === ',' && depth === 0) list.push('');
    else list.push(`${list.pop()}${letter}`);
    at++;
  }
  return list.map((text) => text.trim());
}

/** @returns where the text that begins at `start` has ended */
function endOfText(source: string, start: number): number {
  const quote = source[start]!;
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (quote === '`' && source.startsWith('${', at)) at = endOfInsert(source, at + 2) - 1;
    else if (source[at] === quote) return at + 1;
  }
  return source.length;
}

function endOfInsert(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    const letter = source[at]!;
    if (letter === '"' || letter === "'" || letter === '`') at = endOfText(source, at) - 1;
    else if (letter === '{') depth++;
    else if (letter === '}' && depth-- === 0) return at + 1;
  }
  return source.length;
}

/** An argument that is one text, or chooses between two. */
function textsOf(argument = ''): string[] {
  const texts: string[] = [];
  let rest = '';
  for (let at = 0; at < argument.length;) {
    if (!'"\'`'.includes(argument[at]!)) {
      rest += argument[at++];
      continue;
    }
    const end = endOfText(argument, at);
    texts.push(readable(argument.slice(at + 1, end - 1)));
    rest += 'T';
    at = end;
  }
  if (/^T$/.test(rest.trim())) return texts;
  const isChoice = /^[^?]*\?\s*T\s*:\s*(T|undefined)$/.test(rest.trim());
  return isChoice ? texts.slice(rest.trim().endsWith('undefined') ? -1 : -2) : [];
}

function readable(text: string): string {
  let plain = '';
  for (let at = 0; at < text.length;) {
    if (text.startsWith('${', at)) {
      plain += 'X1';
      at = endOfInsert(text, at + 2);
    } else if (text[at] === '\\') {
      plain += text[at + 1] === 'n' ? '\n' : text[at + 1];
      at += 2;
    } else plain += text[at++];
  }
  return plain;
}
