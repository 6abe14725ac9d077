// <am-upload>: files and folders are sent to /api/v1/uploads one after the other, in parts. A part that fails is tried again
// from where the server says it is; a file that was begun before, even before the page was reloaded, goes on. What lies at
// an address the server fetches by itself, and tells how far it is.

const text = JSON.parse(document.getElementById('client-text').textContent);
const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
const partBytes = 4 * 1024 * 1024;
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const plain = new Intl.NumberFormat(text.locale, { maximumSignificantDigits: 3 });

function bytesText(bytes) {
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${plain.format(bytes / 1024 ** power)} ${units[power]}`;
}

class Refused extends Error {
  constructor(status, body) {
    super([body?.error?.message, body?.error?.hint].filter(Boolean).join(' ') || fill(text.requestFailed, { status }));
    this.status = status;
  }
}

/** @throws Refused for an answer that is an error; TypeError when there is no answer */
async function send(method, path, { json, body, headers, signal } = {}) {
  const answer = await fetch(`/api/v1/${path}`, {
    method,
    signal,
    body: json ? JSON.stringify(json) : body,
    headers: {
      accept: 'application/json',
      'x-csrf-token': document.querySelector('meta[name="csrf"]').content,
      ...(json && { 'content-type': 'application/json' }),
      ...headers,
    },
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => undefined));
  return answer;
}

/** @throws as `send` */
async function ask(method, path, options) {
  const answer = await send(method, `uploads${path}`, options);
  return answer.status === 204 ? undefined : answer.json();
}

/** One file on its way. */
class Transfer {
  state = 'waiting';
  received = 0;

  constructor(file, path, onChange) {
    Object.assign(this, { file, path, onChange });
    this.memory = `upload:${path}:${file.size}:${file.lastModified}`;
  }

  set(state, message) {
    Object.assign(this, { state, message });
    this.onChange(this);
  }

  async send() {
    this.abort = new AbortController();
    const { signal } = this.abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.find();
        while (this.received < this.file.size) {
          this.set('sending');
          const upload = await ask('PATCH', `/${this.id}`, {
            body: this.file.slice(this.received, this.received + partBytes),
            headers: { 'content-type': 'application/octet-stream', 'upload-offset': String(this.received) },
            signal,
          });
          this.received = upload.received;
          failures = 0;
        }
        return this.set('done');
      } catch (error) {
        if (signal.aborted) return;
        const mayPass = !(error instanceof Refused) || [409, 429, 502, 503, 504].includes(error.status);
        if (!mayPass || failures >= 8) return this.set('failed', error instanceof Refused ? error.message : text.noNetwork);
        this.set('retrying');
        await new Promise((resolve) => setTimeout(resolve, Math.min(15_000, 500 * 2 ** failures++)));
      }
    }
  }

  /** Asks how far the server is; announces the file when it does not know it. */
  async find() {
    this.id ??= sessionStorage.getItem(this.memory) ?? undefined;
    if (this.id) {
      const known = await ask('GET', `/${this.id}`).catch((error) => {
        if (error.status !== 404) throw error;
      });
      if (known?.bytes === this.file.size) {
        this.received = known.received;
        return;
      }
    }
    const upload = await ask('POST', '', { json: { bytes: this.file.size } });
    this.id = upload.id;
    this.received = 0;
    sessionStorage.setItem(this.memory, this.id);
  }

  /** Looks whether the server still has it: what was imported, it lets go. */
  async check() {
    if (this.state !== 'done') return;
    const known = await ask('GET', `/${this.id}`).catch(() => undefined);
    if (!known) this.set('gone');
  }

  pause() {
    this.abort?.abort();
    this.set('paused');
  }

  async remove() {
    this.state = 'removed';
    this.abort?.abort();
    sessionStorage.removeItem(this.memory);
    // What cannot be removed now expires by itself.
    if (this.id) await ask('DELETE', `/${this.id}`).catch(() => undefined);
  }
}

/** Lines of JSON while the server fetches; leaving them ends it. @throws as `send` */
async function* fetchSteps(from, signal) {
  const answer = await send('POST', 'fetches', { json: { from }, headers: { accept: 'application/x-ndjson' }, signal });
  let rest = '';
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

/** What lies at an address, on its way to the server. */
class Fetched extends Transfer {
  constructor(address, onChange, onFiles) {
    super({ size: 0, lastModified: 0 }, address, onChange);
    Object.assign(this, { address, onFiles });
  }

  async send() {
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      for await (const { bytes = 0, totalBytes, files, error } of fetchSteps(this.address, signal)) {
        if (error) throw new Refused(0, { error });
        if (files) return this.arrive(files);
        this.received = bytes;
        this.file.size = totalBytes ?? 0;
        this.amount = totalBytes === undefined ? bytesText(bytes) : undefined;
        this.set('sending');
      }
      throw new TypeError();
    } catch (error) {
      if (!signal.aborted) this.set('failed', error instanceof Refused ? error.message : text.noNetwork);
    }
  }

  arrive(files) {
    const [{ uploadId, path }, ...more] = files;
    Object.assign(this, { id: uploadId, path });
    this.file.size = this.received;
    this.onFiles(this, more);
    this.set('done');
  }
}

class Upload extends HTMLElement {
  transfers = [];

  connectedCallback() {
    this.list = this.querySelector('.transfers');
    this.zone = this.querySelector('.drop');
    this.template = this.querySelector('template').content.firstElementChild;
    this.output = this.querySelector('input[type="hidden"]');
    this.submit = this.closest('form')?.querySelector('[type="submit"]');
    this.addEventListener('change', (event) => {
      if (event.target.type !== 'file') return;
      for (const file of event.target.files) this.add(file, file.webkitRelativePath || file.name);
      event.target.value = '';
    });
    const address = this.querySelector('[data-address]');
    address?.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      this.fetch(address);
    });
    this.querySelector('[data-fetch]')?.addEventListener('click', () => this.fetch(address));
    this.addEventListener('dragover', (event) => {
      event.preventDefault();
      this.zone.classList.add('is-over');
    });
    this.addEventListener('dragleave', (event) => {
      if (!this.contains(event.relatedTarget)) this.zone.classList.remove('is-over');
    });
    this.addEventListener('drop', (event) => {
      event.preventDefault();
      this.zone.classList.remove('is-over');
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
      for (const entry of entries) void this.addEntry(entry);
    });
    // The import was refused, and the person may put it right.
    this.closest('form')?.addEventListener('upload-again', () => {
      for (const transfer of this.transfers) void transfer.check();
    });
    this.keepTyped();
    this.report();
  }

  /** What is typed while the server looks at the files goes over what it proposes then. */
  keepTyped() {
    const form = this.closest('form');
    const typed = new Map();
    form?.addEventListener('input', ({ target }) => {
      if (form.classList.contains('htmx-request') && target.name) typed.set(target.name, target.value);
    });
    form?.addEventListener('htmx:after:swap', () => {
      for (const [name, value] of typed) {
        for (const field of form.querySelectorAll(`[name="${name}"]`)) {
          if (field.type === 'radio') field.checked = field.value === value;
          else field.value = value;
        }
      }
      typed.clear();
    });
  }

  async addEntry(entry) {
    const path = entry.fullPath.replace(/^\//, '');
    if (entry.isFile) return entry.file((file) => this.add(file, path));
    const reader = entry.createReader();
    // A reader gives its entries in portions, until one is empty.
    for (;;) {
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (entries.length === 0) return;
      for (const each of entries) await this.addEntry(each);
    }
  }

  add(file, path) {
    if (this.transfers.some((each) => each.path === path)) return;
    this.nameModel(path);
    this.place(new Transfer(file, path, (each) => this.show(each)));
    void this.work();
  }

  /** @param input with the address; it is empty afterwards */
  fetch(input) {
    const address = input.value.trim();
    if (address === '' || this.transfers.some((each) => each.address === address)) return;
    input.value = '';
    const onFiles = (fetched, more) => {
      this.nameModel(fetched.path);
      fetched.item.querySelector('.transfer-name').textContent = fetched.path;
      for (const { uploadId, path } of more) {
        const part = new Transfer({ size: 0, lastModified: 0 }, path, (each) => this.show(each));
        this.place(Object.assign(part, { id: uploadId, state: 'done', amount: '' }));
        // Fetched again with the one that it came with.
        part.send = async () => this.act('remove', part);
      }
    };
    this.place(new Fetched(address, (each) => this.show(each), onFiles));
    void this.work();
  }

  place(transfer) {
    const { path } = transfer;
    const item = this.template.cloneNode(true);
    transfer.item = item;
    item.querySelector('.transfer-name').textContent = path;
    item.querySelector('progress').setAttribute('aria-label', path);
    for (const button of item.querySelectorAll('[data-do]')) {
      const label = fill(text[button.dataset.do], { name: path });
      button.title = label;
      button.setAttribute('aria-label', label);
      button.addEventListener('click', () => this.act(button.dataset.do, transfer));
    }
    this.transfers.push(transfer);
    for (const each of this.transfers) if (each.state === 'gone') each.set('waiting');
    this.list.append(item);
    this.list.hidden = false;
    this.show(transfer);
  }

  /** What is not named yet is called as its file is. */
  nameModel(path) {
    const field = this.closest('form')?.querySelector('[data-named-by-file]');
    if (!field || field.value !== '') return;
    const name = path.split('/')[0].replace(/(\.(onnx|zip|tar|tgz|gz))+$/i, '');
    field.value = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(0, 128);
  }

  act(what, transfer) {
    if (what === 'pause') transfer.pause();
    else if (what === 'resume') {
      transfer.set('waiting');
      void this.work();
    } else {
      void transfer.remove();
      transfer.item.remove();
      this.transfers = this.transfers.filter((each) => each !== transfer);
      this.list.hidden = this.transfers.length === 0;
      this.report();
    }
  }

  /** One file at a time: parts of several would only share the same line. */
  async work() {
    if (this.isBusy) return;
    this.isBusy = true;
    for (;;) {
      const next = this.transfers.find((each) => each.state === 'waiting');
      if (!next) break;
      next.set('sending');
      await next.send();
    }
    this.isBusy = false;
  }

  show(transfer) {
    const { item, state, received, file, message, amount } = transfer;
    const total = bytesText(file.size);
    const words = {
      waiting: text.waiting,
      sending: amount ?? fill(text.sending, { received: bytesText(received), total }),
      paused: text.paused,
      retrying: text.retrying,
      done: amount === '' ? text.done : `${text.done} · ${total}`,
      gone: text.gone,
      failed: message,
    };
    item.dataset.state = state;
    item.querySelector('.transfer-state').textContent = words[state];
    item.querySelector('progress').value = file.size > 0 ? received / file.size : Number(state === 'done');
    item.querySelector('[data-do="pause"]').hidden = !['waiting', 'sending', 'retrying'].includes(state);
    item.querySelector('[data-do="resume"]').hidden = !['paused', 'failed', 'gone'].includes(state);
    this.report();
  }

  report() {
    const isComplete = this.transfers.length > 0 && this.transfers.every(({ state }) => state === 'done');
    const files = isComplete ? this.transfers.map(({ id, path }) => ({ uploadId: id, path })) : [];
    const before = this.output.value;
    this.output.value = JSON.stringify(files);
    if (this.submit) this.submit.disabled = !isComplete;
    this.dispatchEvent(new CustomEvent('upload-changed', { bubbles: true, detail: { files } }));
    // Told once, however often the list is shown anew.
    if (!isComplete || this.output.value === before) return;
    this.dispatchEvent(new CustomEvent('upload-complete', { bubbles: true, detail: { files } }));
    if ('send' in this.dataset) this.closest('form').requestSubmit();
  }
}

customElements.define('am-upload', Upload);
