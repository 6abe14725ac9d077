// The page of one endpoint for those who call it: where, with what, programs to start from, what goes in and comes out.
// Without script, readable without any network.
import type { ServedEndpoint } from '../src/http/endpoint-document.ts';
import type { TensorSpec } from '../src/types.ts';
import { type Callee, type Example, taskExamples, tensorExamples } from './call-examples.ts';
import { type Html, html } from './html.ts';
import { zerosExample } from './zeros-example.ts';

export interface EndpointPage extends ServedEndpoint {
  /** Where it is reached, this server first. */
  addresses: readonly string[];
  /** Sentences: what a caller must reckon with. */
  limits: readonly string[];
}

export function renderEndpointPage(endpoint: EndpointPage): string {
  const { name, signature, addresses } = endpoint;
  // It stands between single quotes too.
  const path = encodeURIComponent(name).replaceAll("'", '%27');
  const callee: Callee = { ...endpoint, origin: addresses[0]!, name: path };
  const [task, tensors] = [taskExamples(callee), examplesOfTensors(callee)];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${name} API</title>
        <link rel="stylesheet" href="/assets/docs.css" />
      </head>
      <body>
        <header>
          <p class="brand">${name} <span>version ${endpoint.version}</span></p>
          <p class="links">
            <a href="/openapi/endpoints/${path}.json">OpenAPI</a> <a href="/docs">all of this server</a>
          </p>
        </header>
        <nav aria-label="Contents">
          <ul>
            <li><a href="#start">Start here</a></li>
            ${task.length > 0 && html`<li><a href="#task">With its task</a></li>`}
            <li><a href="#tensors">With tensors</a></li>
            <li><a href="#shapes">In and out</a></li>
            <li><a href="#errors">Errors</a></li>
          </ul>
        </nav>
        <main>
          ${renderStart(endpoint, path)}
          ${
            task.length > 0 &&
            html`<section id="task">
              <h2>With its task</h2>
              <p>${endpoint.manifest.task}: what goes in is made ready, and what comes out is read, on the server.</p>
              ${task.map(renderExample)}
            </section>`
          }
          <section id="tensors">
            <h2>With tensors</h2>
            <p>The Open Inference Protocol v2, so that clients written for other inference servers work unchanged.</p>
            ${tensors.map(renderExample)}
          </section>
          <section id="shapes">
            <h2>In and out</h2>
            <p>A size with ? may be another in each request.</p>
            <h3>Inputs</h3>
            ${renderTensors(signature.inputs)}
            <h3>Outputs</h3>
            ${renderTensors(signature.outputs)}
          </section>
          ${renderErrors()}
        </main>
      </body>
    </html>`;
  return page.text;
}

function renderStart({ name, addresses, limits, manifest }: EndpointPage, path: string): Html {
  const verbs = manifest.task === 'tensor' ? ['infer'] : ['predict', 'infer'];
  const pathOf = (verb: string) => `/${verb === 'infer' ? 'v2' : 'v1'}/models/${path}/${verb}`;
  // Under a name of its own an endpoint has short paths too.
  const urls = addresses.flatMap((address, i) => verbs.map((verb) => address + (i === 0 ? pathOf(verb) : `/${verb}`)));
  return html`<section id="start" class="start">
    <h1>Call ${name}</h1>
    <p>${limits.map((sentence) => `${sentence} `)}</p>
    <h3>Addresses</h3>
    <ul class="fields">
      ${urls.map((url) => html`<li><code>POST ${url}</code></li>`)}
    </ul>
    <h3>Key</h3>
    <p>
      Send an API key that may call it as <code>X-API-Key</code> or as <code>Authorization: Bearer</code>. The examples
      take it from the variable <code>AIMASS_KEY</code>.
    </p>
  </section>`;
}

/** What is too long to be written out is sent as zeros, so that the command works as it stands. */
function examplesOfTensors(callee: Callee): Example[] {
  const examples = tensorExamples(callee);
  const isWhole = examples.some(({ title, text }) => title === 'curl' && !text.includes('@request.json'));
  return isWhole ? examples : [zerosExample(callee), ...examples.filter(({ title }) => title !== 'curl')];
}

function renderExample({ title, text }: Example): Html {
  return html`<h3>${title}</h3>
    <pre><code>${text}</code></pre>`;
}

function renderTensors(tensors: readonly TensorSpec[]): Html {
  return html`<ul class="fields">
    ${tensors.map(
      (tensor) => html`<li><code>${tensor.name}</code> <i>${tensor.datatype} [${describeShape(tensor)}]</i></li>`,
    )}
  </ul>`;
}

function describeShape({ shape, dimNames = [] }: TensorSpec): string {
  return shape.map((size, axis) => (size === -1 ? `${dimNames[axis] ?? ''}?` : String(size))).join(', ');
}

const meanings: [number, string][] = [
  [400, 'The request does not fit; the message says what is wrong.'],
  [401, 'No key, or not a valid one.'],
  [403, 'The key may not call this endpoint.'],
  [429, 'Too many requests, of your key or of all callers together. Try again after Retry-After.'],
  [503, 'Too many requests wait, or it is just starting. Try again after Retry-After.'],
];

function renderErrors(): Html {
  return html`<section id="errors">
    <h2>Errors</h2>
    <ul class="answers">
      ${meanings.map(([status, text]) => html`<li><b class="bad">${status}</b> <span>${text}</span></li>`)}
    </ul>
    <p>Every answer carries <code>X-Request-Id</code>, which the server's log repeats.</p>
  </section>`;
}
