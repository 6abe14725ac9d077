// What every page does: copy, search by "/", toasts, CSRF for requests of scripts, live values. No dependencies but
// htmx, no eval, no inline styles in markup.

const text = JSON.parse(document.getElementById('client-text').textContent);
const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');

// Copy.
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  await copy(button.dataset.copy);
  button.classList.add('copied');
  say(text.copied);
  setTimeout(() => button.classList.remove('copied'), 1500);
});

async function copy(value) {
  // The clipboard is closed to pages that come over plain HTTP; the old way is not.
  if (navigator.clipboard) return navigator.clipboard.writeText(value);
  const area = document.createElement('textarea');
  area.value = value;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

// "/" goes to the search field.
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, textarea, select, [contenteditable]')) return;
  const field = document.querySelector('[data-search]');
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// Browsers that do not know command and commandfor yet.
if (!('command' in HTMLButtonElement.prototype)) {
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button[commandfor]');
    const dialog = button && document.getElementById(button.getAttribute('commandfor'));
    if (!dialog) return;
    if (button.getAttribute('command') === 'show-modal') dialog.showModal();
    else dialog.close();
  });
}

// A click beside a dialog closes it.
document.addEventListener('click', (event) => {
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

// A form is sent once.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post' || event.defaultPrevented) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = 'true';
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

// Where the browser comes back to a form with faults, it starts at the first.
document.querySelector('[aria-invalid="true"]')?.focus();

// Toasts: from the server by the header HX-Trigger: {"toast":{"tone":"good","text":"Saved"}}, from scripts by an event of
// the same form.
document.addEventListener('toast', (event) => toast(event.detail.text, event.detail.tone));

function toast(message, tone = 'info') {
  const region = document.getElementById('toasts');
  const item = document.createElement('div');
  item.className = `toast ${tone}`;
  item.append(Object.assign(document.createElement('p'), { textContent: message }));
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'tool', textContent: '×' });
  close.setAttribute('aria-label', text.close);
  close.addEventListener('click', () => item.remove());
  item.append(close);
  region.append(item);
  // What went wrong stays until it is read.
  if (tone !== 'bad') setTimeout(() => item.remove(), 6000);
}

/** Told to screen readers only. */
function say(message) {
  const region = document.getElementById('toasts');
  const item = Object.assign(document.createElement('p'), { className: 'unseen', textContent: message });
  region.append(item);
  setTimeout(() => item.remove(), 2000);
}

// htmx.
document.addEventListener('htmx:config:request', (event) => {
  event.detail.ctx.request.headers['X-CSRF-Token'] = document.querySelector('meta[name="csrf"]').content;
});
document.addEventListener('htmx:response:error', (event) => {
  const { status } = event.detail.ctx.response;
  if (status === 401) return location.reload();
  if (status >= 403 && status !== 422) toast(fill(text.requestFailed, { status }), 'bad');
});
document.addEventListener('htmx:error', (event) => {
  if (!event.detail.ctx?.response) toast(text.noNetwork, 'bad');
});

// Live values: one stream a page. Each message is a JSON object, key → update, for the elements with that data-live-key:
//   a string        becomes the text of the element
//   {value, text}   becomes the value of a meter or progress, the text says it in words
//   {html}          becomes the content of the element
//   {point: [t, …]} is appended to a chart
const live = document.querySelector('[data-live]');
if (live) listen(live.dataset.live);

function listen(address) {
  let source;
  let failures = 0;
  let timer;
  const sign = document.getElementById('live-sign');
  const show = (isOn) => {
    if (sign && sign.dataset.state !== (isOn ? 'on' : 'off')) sign.dataset.state = isOn ? 'on' : 'off';
  };
  const open = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(address);
    source.onopen = () => {
      failures = 0;
      show(true);
    };
    source.onmessage = ({ data }) => {
      for (const [key, update] of Object.entries(JSON.parse(data))) apply(key, update);
    };
    source.onerror = () => {
      show(false);
      source.close();
      // Jitter, so that not every open page comes back in the same moment.
      timer = setTimeout(retry, Math.min(30_000, 1000 * 2 ** failures++) * (0.75 + Math.random() / 2));
    };
  };
  const retry = async () => {
    // A session that has ended answers the page with a redirection to sign-in; a stream cannot tell.
    const answer = await fetch(location.href, { redirect: 'manual' }).catch(() => undefined);
    if (answer && (answer.type === 'opaqueredirect' || answer.status === 401)) location.reload();
    else open();
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => event.persisted && open());
  if (!document.hidden) open();
}

function apply(key, update) {
  for (const element of document.querySelectorAll(`[data-live-key="${CSS.escape(key)}"]`)) {
    if (typeof update === 'string') {
      if (element.textContent !== update) element.textContent = update;
    } else if ('value' in update) move(element, update);
    else if (update.point) element.addPoint?.(update.point);
    else {
      element.innerHTML = update.html;
      htmx.process(element);
    }
  }
}

function move(element, { value, text }) {
  element.ariaValueText = text ?? null;
  if (element.localName === 'progress') {
    element.value = value;
    return;
  }
  const share = Math.min(1, Math.max(0, value / Number(element.ariaValueMax)));
  element.ariaValueNow = String(value);
  element.querySelector('rect').setAttribute('width', String(share * 100));
  if (text !== undefined) element.nextElementSibling.textContent = text;
  if (element.classList.contains('by-level')) {
    element.classList.toggle('warn', share >= 0.75 && share < 0.9);
    element.classList.toggle('bad', share >= 0.9);
  }
}
