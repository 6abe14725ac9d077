// A person at a browser: fills in forms, follows links, and looks at pages with axe-core.
import { browserProblem, type OpenOptions, openPage } from '../web/browser.ts';

export { browserProblem };

const axe = await Bun.file(Bun.resolveSync('axe-core/axe.min.js', import.meta.dir)).text();

interface Finding {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

export interface Person {
  view: Bun.WebView;
  /** Path and query of the page. */
  at(): Promise<string>;
  /** What the page says, as one sees it. */
  text(): Promise<string>;
  open(path: string): Promise<void>;
  /** Puts texts into fields by name; "on" ticks. Choices are "NAME=VALUE". */
  enter(fields: Record<string, string>): Promise<void>;
  /** Clicks and waits for the page that comes. @param selector of the link or button */
  follow(selector: string): Promise<void>;
  /** What axe-core finds, and how many pixels wider than the window the page is. */
  inspect(): Promise<{ findings: string[]; excess: number }>;
  /** Becomes whoever the cookies are of. */
  be(cookies: ReadonlyMap<string, string>): Promise<void>;
  close(): void;
}

/** Pages that keep themselves up to date may leave while they are asked: then the one that came is asked again. */
async function untilItStays<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      // The second when what was injected went with its page.
      if (!/navigated or closed|axe is not defined/.test(String(error))) throw error;
      await Bun.sleep(10);
    }
  }
}

/** Asks the page. */
export function look<T>(view: Bun.WebView, script: string): Promise<T> {
  return untilItStays(() => view.evaluate<T>(script));
}

/**
 * With a browser that knows nothing of whoever sat there before.
 * @param origin "http://HOST:PORT"; browsers keep the cookies of each host apart
 */
export async function sitDown(origin: string, options: OpenOptions): Promise<Person> {
  const view = await openPage('about:blank', options);
  await view.cdp('Network.clearBrowserCookies');
  const run = <T>(script: string) => look<T>(view, script);

  /** The click's own page is marked, so that the one that comes is known by its being unmarked and whole. */
  async function follow(selector: string): Promise<void> {
    await run(`(() => {
      const target = document.querySelector(${JSON.stringify(selector)});
      const wrong = target.form?.querySelector('form:not([novalidate]) :invalid');
      if (wrong) throw new Error(wrong.name + ': ' + wrong.validationMessage);
      window.isLeft = true;
      // Not at once: a page that leaves before the browser has answered is an error.
      setTimeout(() => target.click());
    })()`);
    const hasArrived = () => run<boolean>(`!window.isLeft && document.readyState === 'complete'`).catch(() => false);
    // While one page goes and another comes there is nothing in the browser that could wait.
    while (!(await hasArrived())) await Bun.sleep(10);
  }

  return {
    view,
    at: () => run('location.pathname + location.search'),
    text: () => run('document.body.innerText'),
    open: (path) => untilItStays(() => view.navigate(origin + path)),
    async enter(fields) {
      for (const [name, text] of Object.entries(fields)) {
        await run(`(() => {
          const [name, value] = ${JSON.stringify(name)}.split('=');
          const main = document.querySelector('main');
          const field = main.querySelector(value ? \`[name="\${name}"][value="\${value}"]\` : \`[name="\${name}"]:not([type="hidden"])\`);
          if (field.type === 'checkbox' || field.type === 'radio') field.checked = ${JSON.stringify(text)} === 'on';
          else field.value = ${JSON.stringify(text)};
        })()`);
      }
    },
    follow,
    async inspect() {
      const { violations } = await untilItStays(async () => {
        // Injected past the page's policy, as developer tools do.
        await view.cdp('Runtime.evaluate', { expression: axe });
        return view.evaluate<{ violations: Finding[] }>(
          `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
        );
      });
      return {
        findings: violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map((node) => node.failureSummary + node.html).join('\n')}`,
        ),
        excess: await run<number>(`document.documentElement.scrollWidth - ${options.width}`),
      };
    },
    async be(cookies) {
      for (const [name, value] of cookies) await view.cdp('Network.setCookie', { url: origin, name, value });
    },
    close: () => view.close(),
  };
}
