// <am-try>: sends what is in its form to the address that clients call, and shows the answer: drawn on the picture, listed,
// timed. Words come from the page.

const text = JSON.parse(document.getElementById('try-text').textContent);
const { locale, requestFailed, noNetwork } = JSON.parse(document.getElementById('client-text').textContent);
const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
const plain = new Intl.NumberFormat(locale, { maximumSignificantDigits: 4 });
const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
const pixels = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });

const mostShown = 400;
const longestAnswer = 100_000;

/** @param content strings and elements */
function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

function table(caption, columns, rows) {
  const head = columns.map(({ label, end }) => element('th', { scope: 'col', class: end ? 'end' : '' }, label));
  const body = rows.map((row) =>
    element(
      'tr',
      {},
      ...row.map((cell, i) =>
        element('td', { class: columns[i].end ? 'end' : '', 'data-label': columns[i].label }, cell),
      ),
    ),
  );
  return element(
    'div',
    { class: 'table-box' },
    element(
      'table',
      {},
      element('caption', { class: 'unseen' }, caption),
      element('thead', {}, element('tr', {}, ...head)),
      element('tbody', {}, ...body),
    ),
  );
}

const milliseconds = (ms) => `${plain.format(ms)} ms`;

/** Stages as parts of one bar. */
function timeBar(stages) {
  const total = stages.reduce((sum, { ms }) => sum + ms, 0);
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const spoken = stages.map(({ label, ms }) => `${label} ${milliseconds(ms)}`).join(', ');
  const given = { viewBox: '0 0 100 1', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${text.time}: ${spoken}` };
  for (const [name, value] of Object.entries(given)) svg.setAttribute(name, value);
  let from = 0;
  for (const [i, { ms }] of stages.entries()) {
    const part = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const width = total > 0 ? (ms / total) * 100 : 0;
    const placed = { class: `hue-${i + 1}`, x: from, width, height: 1 };
    for (const [name, value] of Object.entries(placed)) part.setAttribute(name, value);
    svg.append(part);
    from += width;
  }
  const legend = stages.map(({ label, ms }, i) =>
    element(
      'li',
      {},
      element('i', { class: `swatch hue-${i + 1}` }),
      element('span', {}, label),
      element('b', {}, milliseconds(ms)),
    ),
  );
  const sum = element('b', {}, milliseconds(total));
  return element(
    'div',
    { class: 'segments' },
    element('p', { class: 'try-time' }, `${text.time} `, sum),
    svg,
    element('ul', { class: 'legend' }, ...legend),
  );
}

function stagesOf({ queueMs, computeMs, totalMs }, roundTripMs) {
  return [
    { label: text.queue, ms: queueMs },
    { label: text.compute, ms: computeMs },
    { label: text.processing, ms: Math.max(0, totalMs - queueMs - computeMs) },
    { label: text.network, ms: Math.max(0, roundTripMs - totalMs) },
  ];
}

const scored = [{ label: text.label }, { label: text.score, end: true }];

function objectTable(objects) {
  if (objects.length === 0) return element('p', {}, text.nothing);
  const rows = objects.map(({ label, score, box: { x, y, width, height } }) => [
    label,
    percent.format(score),
    [x, y, width, height].map((side) => pixels.format(side)).join(', '),
  ]);
  return table(text.answer, [...scored, { label: text.place, end: true }], rows);
}

function predictionTable({ classes, values }) {
  if (classes) {
    return table(text.answer, scored, classes.map(({ label, score }) => [label, percent.format(score)]));
  }
  const rows = Object.entries(values).map(([name, value]) => [name, plain.format(value)]);
  return table(text.answer, [{ label: text.output }, { label: text.value, end: true }], rows);
}

/** Values in rows of the last dimension, as many as one can read. */
function tensorText({ shape, data }) {
  const width = Math.max(1, shape.at(-1) ?? 1);
  const lines = [];
  for (let at = 0; at < Math.min(data.length, mostShown); at += width) {
    lines.push(`[${data.slice(at, Math.min(at + width, mostShown)).map((value) => JSON.stringify(value)).join(', ')}]`);
  }
  if (data.length > mostShown) lines.push(fill(text.shortened, { count: pixels.format(data.length - mostShown) }));
  return lines.join('\n');
}

function codeBlock(title, content) {
  return element(
    'div',
    { class: 'code' },
    element('p', {}, title),
    element('pre', { tabindex: '0' }, element('code', {}, content)),
  );
}

/** `{"fill": x}` in place of the data of an input becomes as many values as its shape has. */
function written(json) {
  const request = JSON.parse(json);
  const filled = (request.inputs ?? []).filter(({ data }) => Object.hasOwn(data ?? {}, 'fill'));
  // As it stands: whole numbers beyond 2^53 would not survive being written again.
  if (filled.length === 0) return json;
  for (const input of filled) {
    const count = input.shape.reduce((product, size) => product * size, 1);
    input.data = new Array(count).fill(input.data.fill);
  }
  return JSON.stringify(request);
}

class Problem extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

class Try extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector('form');
    this.answer = this.querySelector('.try-answer');
    this.picture = this.querySelector('am-picture');
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.try();
    });
  }

  async try() {
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    this.answer.setAttribute('aria-busy', 'true');
    this.answer.replaceChildren(element('progress', { 'aria-label': text.working }), element('p', {}, text.working));
    try {
      this.answer.replaceChildren(...(await this.ask(this.request(), signal)));
    } catch (error) {
      if (signal.aborted) return;
      this.answer.replaceChildren(this.problem(error instanceof Problem ? error : new Problem(noNetwork)));
    }
    this.answer.removeAttribute('aria-busy');
  }

  /** @throws Problem for what cannot be sent */
  request() {
    const { kind } = this.dataset;
    if (kind === 'picture') {
      const [file] = this.form.querySelector('input[type="file"]').files;
      return { body: file, type: file.type || 'application/octet-stream' };
    }
    if (kind === 'row') return { body: JSON.stringify({ row: this.row() }), type: 'application/json' };
    try {
      return { body: written(this.form.elements.json.value), type: 'application/json' };
    } catch (error) {
      throw new Problem(fill(text.badJson, { reason: error.message }));
    }
  }

  row() {
    const columns = JSON.parse(this.form.querySelector('script').textContent);
    const filled = columns.map(({ name, kind }, i) => [name, kind, this.form.elements[`column-${i}`].value]);
    return Object.fromEntries(
      filled
        .filter(([, , value]) => value !== '')
        .map(([name, kind, value]) => [name, kind === 'number' ? Number(value) : value]),
    );
  }

  async ask({ body, type }, signal) {
    const startedMs = performance.now();
    const answer = await fetch(this.form.action, {
      method: 'POST',
      body,
      signal,
      headers: {
        accept: 'application/json',
        'content-type': type,
        'x-csrf-token': document.querySelector('meta[name="csrf"]').content,
      },
    });
    const json = await answer.text();
    const roundTripMs = performance.now() - startedMs;
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw problemOf(answer.status, json);
    return [...this.show(JSON.parse(json), roundTripMs), whole(json)];
  }

  show(found, roundTripMs) {
    if (found.outputs) {
      const parts = found.outputs.map((output) =>
        codeBlock(`${output.name} ${output.datatype} [${output.shape.join(', ')}]`, tensorText(output)),
      );
      return [element('p', { class: 'try-time' }, `${text.time} `, element('b', {}, milliseconds(roundTripMs))), ...parts];
    }
    if (found.objects) this.picture?.draw(found.objects);
    const tables = found.objects ? [objectTable(found.objects)] : found.predictions.map(predictionTable);
    const note = found.note ? [element('p', { class: 'hint', lang: 'en' }, found.note)] : [];
    return [timeBar(stagesOf(found.timings, roundTripMs)), ...tables, ...note];
  }

  problem({ message, hint }) {
    const content = element('div', {}, element('b', {}, message), ...(hint ? [element('p', {}, hint)] : []));
    return element('div', { class: 'notice bad', role: 'alert' }, content);
  }
}

function problemOf(status, json) {
  let error;
  try {
    ({ error } = JSON.parse(json));
  } catch {}
  if (typeof error === 'string') return new Problem(error);
  return new Problem(error?.message ?? fill(requestFailed, { status }), error?.hint);
}

function whole(json) {
  const isLong = json.length > longestAnswer;
  const shown = isLong ? `${json.slice(0, longestAnswer)}…` : JSON.stringify(JSON.parse(json), null, 2);
  const summary = element('summary', { class: 'quiet' }, text.answer);
  return element('details', { class: 'change' }, summary, element('pre', { tabindex: '0' }, shown));
}

customElements.define('am-try', Try);
