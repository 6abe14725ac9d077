// The API as a page for people: written from the OpenAPI document, without script, readable without any network.
import type { ApiDocument, JsonSchema, MediaType, Operation, Parameter } from '../src/http/openapi.ts';
import { type Html, html } from './html.ts';

interface Placed {
  operation: Operation;
  method: string;
  path: string;
}

/** @param address "http://HOST:PORT" of this server, safe to stand in a shell command */
export function renderApiPage(document: ApiDocument, address: string): string {
  const placed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Placed => ({ operation, method, path })),
  );
  const groups = document.tags.map((tag) => ({
    ...tag,
    operations: placed.filter(({ operation }) => operation.tags.includes(tag.name)),
  }));
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${document.info.title} API</title>
        <link rel="stylesheet" href="/assets/docs.css" />
      </head>
      <body>
        <header>
          <p class="brand">${document.info.title} <span>${document.info.version}</span></p>
          <p class="links"><a href="/openapi.json">openapi.json</a> <a href="/metrics">metrics</a></p>
        </header>
        <nav aria-label="Contents">
          <ul>
            <li><a href="#start">Start here</a></li>
            ${groups.map(({ name }) => html`<li><a href="#${slug(name)}">${name}</a></li>`)}
            <li><a href="#shapes">Shapes</a></li>
          </ul>
        </nav>
        <main>
          ${renderStart(address)}
          ${groups.map(
            ({ name, description, operations }) =>
              html`<section id="${slug(name)}">
                <h2>${name}</h2>
                <p>${description}</p>
                ${operations.map((each) => renderOperation(each, document, address))}
              </section>`,
          )}
          <section id="shapes">
            <h2>Shapes</h2>
            <p>JSON objects that requests and answers are made of.</p>
            ${Object.entries(document.components.schemas).map(
              ([name, schema]) =>
                html`<details class="shape">
                  <summary><code>${name}</code></summary>
                  <div id="shape-${name}" class="body">${renderSchema(schema)}</div>
                </details>`,
            )}
          </section>
        </main>
      </body>
    </html>`;
  return page.text;
}

function renderStart(address: string): Html {
  const steps: [string, string][] = [
    ['Serve a model of your own', `curl -X POST -T model.onnx ${address}/api/v1/models/digits/versions`],
    ['Ask it with a photo', `curl --data-binary @photo.jpg ${address}/v1/models/faces/predict`],
    ['Ask it with a row', `curl -d '{"row":{"age":41,"income":5200}}' ${address}/v1/models/credit/predict`],
    ['Ask it with tensors', `curl -d '${JSON.stringify(exampleTensors)}' ${address}/v2/models/digits/infer`],
  ];
  return html`<section id="start" class="start">
    <h1>Call the models of this server</h1>
    <p>
      Everything speaks JSON over HTTP. A model that knows its task takes pictures or rows; every model takes tensors,
      in the Open Inference Protocol v2, so that clients written for other inference servers work unchanged.
    </p>
    ${steps.map(
      ([title, command]) =>
        html`<h3>${title}</h3>
          <pre><code>${command}</code></pre>`,
    )}
    <p>
      What one endpoint takes and answers, with programs to start from, is at <code>/docs/endpoints/NAME</code>, and for
      generators of clients at <code>/openapi/endpoints/NAME.json</code>. Both need the key that calls it.
    </p>
    <h3>When something is wrong</h3>
    <p>
      The status says what kind of error it is, and the body is
      <code>{"error":{"code","message","hint"}}</code>; below <code>/v2</code> it is <code>{"error":"…"}</code>, as the
      protocol wants. Every answer carries <code>X-Request-Id</code>, which the server's log repeats.
    </p>
  </section>`;
}

const exampleTensors = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] };

function renderOperation({ operation, method, path }: Placed, document: ApiDocument, address: string): Html {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  return html`<details class="operation">
    <summary>
      <span class="method ${method}">${method.toUpperCase()}</span>
      <code class="path">${breakable(path)}</code>
      <span class="what">${summary}</span>
    </summary>
    <div id="${operationId}" class="body">
      ${description && html`<p>${withCode(description)}</p>`}
      <pre><code>${curl(method, path, operation, address)}</code></pre>
      ${
        parameters.length > 0 &&
        html`<h4>Parameters</h4>
          ${renderParameters(parameters)}`
      }
      ${
        requestBody &&
        html`<h4>Body</h4>
          ${Object.entries(requestBody.content).map(([type, media]) => renderMedia(type, media))}`
      }
      <h4>Answers</h4>
      <ul class="answers">
        ${Object.entries(responses).map(([status, response]) => {
          const { description, content = {} } = '$ref' in response ? resolve(document, response.$ref) : response;
          const isGood = Number(status) < 400;
          return html`<li>
            <b class="${isGood ? 'good' : 'bad'}">${status}</b>
            <span>${description}</span>
            ${isGood && Object.entries(content).map(([type, media]) => renderMedia(type, media))}
          </li>`;
        })}
      </ul>
    </div>
  </details>`;
}

function renderParameters(parameters: Parameter[]): Html {
  return html`<ul class="fields">
    ${parameters.map(
      ({ name, in: place, required, schema, description }) =>
        html`<li>
          <code>${name}</code> <i>${typeText(schema)}, ${place}${required ? '' : ', optional'}</i>
          ${description && html`<span>${description}</span>`}
        </li>`,
    )}
  </ul>`;
}

function renderMedia(type: string, { schema, example, examples }: MediaType): Html {
  const shown = example ?? Object.values(examples ?? {})[0]?.value;
  return html`<div class="media">
    <p><code>${type}</code>${renderReference(schema)}</p>
    ${!('$ref' in schema) && schema.properties !== undefined && renderSchema(schema)}
    ${shown !== undefined && html`<pre><code>${JSON.stringify(shown, null, 2)}</code></pre>`}
  </div>`;
}

function renderReference(schema: JsonSchema): Html | undefined {
  const name = referenceOf(schema);
  return name === undefined ? undefined : html` · <a href="#shape-${name}">${name}</a>`;
}

function renderSchema(schema: JsonSchema): Html {
  const required = (schema.required ?? []) as string[];
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const alternatives = (schema.oneOf ?? []) as JsonSchema[];
  const items = schema.items as JsonSchema | undefined;
  return html`${typeof schema.description === 'string' && html`<p>${schema.description}</p>`}
  ${alternatives.length > 0 && html`<p>One of ${alternatives.map((each) => [typeLink(each), ' '])}</p>`}
  ${
    items &&
    html`<p>A list of ${typeLink(items)}:</p>
      ${renderSchema(items)}`
  }
  ${
    properties.length > 0 &&
    html`<ul class="fields">
      ${properties.map(
        ([name, property]) =>
          html`<li>
            <code>${name}</code> <i>${typeLink(property)}${required.includes(name) ? '' : ', optional'}</i>
            ${typeof property.description === 'string' && html`<span>${property.description}</span>`}
            ${renderNested(property)}
          </li>`,
      )}
    </ul>`
  }`;
}

/** The fields of an object, or of the objects in a list, that has no name of its own. */
function renderNested(property: JsonSchema): Html | undefined {
  const inner = property.properties ? property : (property.items as JsonSchema | undefined);
  return inner?.properties ? renderSchema({ ...inner, description: undefined }) : undefined;
}

function typeLink(schema: JsonSchema): Html {
  const list = schema.type === 'array' ? (schema.items as JsonSchema) : undefined;
  const name = referenceOf(list ?? schema);
  if (name === undefined) return html`${typeText(schema)}`;
  return html`${list && 'list of '}<a href="#shape-${name}">${name}</a>`;
}

function typeText(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.join(' | ');
  if (schema.type === 'array') return `list of ${typeText(schema.items as JsonSchema)}`;
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function referenceOf(schema: JsonSchema): string | undefined {
  return typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined;
}

function resolve(document: ApiDocument, reference: string) {
  return document.components.responses[reference.split('/').at(-1)!]!;
}

function curl(method: string, path: string, { parameters = [], requestBody }: Operation, address: string): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(parameters.find((each) => each.name === name)?.example ?? name)),
  );
  const headers = parameters
    .filter((each) => each.in === 'header')
    .map((each) => ` -H '${each.name}: ${each.example ?? ''}'`);
  const { verb, body } = curlBody(method, requestBody);
  return `curl${verb}${headers.join('')}${body} ${address}${filled}`;
}

function curlBody(method: string, body: Operation['requestBody']): { verb: string; body: string } {
  const verb = method === 'get' ? '' : ` -X ${method.toUpperCase()}`;
  const [type, media] = Object.entries(body?.content ?? {})[0] ?? [];
  if (!type || !media) return { verb, body: '' };
  if (type === 'application/octet-stream') return { verb, body: ' -T model.onnx' };
  const isPost = method === 'post';
  if (type !== 'application/json') return { verb: isPost ? '' : verb, body: ' --data-binary @photo.jpg' };
  const example = JSON.stringify(media.example ?? exampleOf(media.schema)).replaceAll("'", `'\\''`);
  return { verb: isPost ? '' : verb, body: ` -H 'Content-Type: application/json' -d '${example}'` };
}

/** A value that fits: the first example of each required field. */
function exampleOf(schema: JsonSchema): unknown {
  if (Array.isArray(schema.examples)) return schema.examples[0];
  if (schema.type === 'array') return [exampleOf(schema.items as JsonSchema)];
  if (schema.type !== 'object') return schema.type === 'integer' ? 1 : '…';
  const required = (schema.required ?? []) as string[];
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>;
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name]!)]));
}

/** Lets long paths break at their slashes. */
function breakable(path: string): Html[] {
  return path.split('/').map((part, i) => (i === 0 ? html`${part}` : html`/<wbr />${part}`));
}

/** Text between backticks is code. */
function withCode(text: string): (Html | string)[] {
  return text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part));
}

function slug(name: string): string {
  return name.toLowerCase();
}
