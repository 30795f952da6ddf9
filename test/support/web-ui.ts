/** The Temporal Web UI of a stack in Chromium. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Locator, type Page } from 'playwright-core';
import { findProgram } from '../../scripts/setup/detect.ts';
import { CHROMIUM_PROGRAMS } from '../../scripts/setup/tools.ts';
import { ROOT } from './flightline.ts';

const SIZE = { width: 1280, height: 900 };

/** What holds text counts, and no blank line at the end. */
const OVERFLOW = `(() => {
  const boxes = [...document.body.querySelectorAll('*')]
    .filter((one) => one.children.length === 0 && one.textContent.trim() !== '')
    .map((one) => one.getBoundingClientRect());
  const most = (side) => Math.max(0, ...boxes.map((box) => box[side]));
  return [most('bottom') - window.innerHeight, most('right') - window.innerWidth];
})()`;

/** How often a page is opened anew that shows an error of the Web UI itself. */
const TRIES = 5;

export interface WebUi {
  context: BrowserContext;
  page: Page;
  /** Opens a page, and waits for what it must show. */
  goto(url: string, wanted: Locator): Promise<void>;
  /** Opens a tab of a workflow's page by the list's link. */
  open(workflowId: string, tab: string): Promise<void>;
  /** Each text of Markdown on the page, in one line. */
  markdown(): Promise<string[]>;
  /** By how many pixels a text of Markdown is higher and wider than its frame, at most. */
  overflow(): Promise<[down: number, across: number]>;
  /** Leaves what the page shows where a person finds it after the run. */
  keep(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens it. @param address of the Web UI */
export async function openWebUi(address: string): Promise<WebUi> {
  const executablePath = await findProgram(CHROMIUM_PROGRAMS);
  if (executablePath === undefined) throw new Error('Chromium is not installed: npm run setup');
  // Root has no sandbox; the only pages are the stack's own.
  const browser = await chromium.launch({ executablePath, chromiumSandbox: false });
  const context = await browser.newContext({ viewport: SIZE });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  // On a busy machine one of its requests fails now and then, and it asks for a refresh.
  const broken = page.getByText("Uh oh. There's an error.");
  const goto = async (url: string, wanted: Locator) => {
    for (let tries = 1; ; tries += 1) {
      await page.goto(url);
      await wanted.or(broken).first().waitFor();
      if (!(await broken.isVisible())) return;
      if (tries === TRIES) throw new Error(`${url} showed an error of the Web UI ${TRIES} times`);
    }
  };
  // The Web UI shows each in a frame of its own, and makes those anew now and then.
  const frames = () => page.frames().filter((frame) => frame.url().includes('/render?'));
  return {
    context,
    page,
    goto,
    close: () => browser.close(),
    async open(workflowId, tab) {
      const query = encodeURIComponent(`WorkflowId = '${workflowId}'`);
      const link = page.locator(`table a[href*="${encodeURIComponent(workflowId)}"]`).first();
      await goto(`${address}/namespaces/default/workflows?query=${query}`, link);
      const path = (await link.getAttribute('href'))!;
      await goto(`${address}${path.replace(/history$/, tab)}`, page.getByText(workflowId).first());
    },
    async markdown() {
      const texts = await Promise.all(frames().map((one) => one.evaluate('document.body.innerText').catch(() => '')));
      return texts.map((text) => String(text).replace(/\s+/g, ' ').trim()).filter((text) => text !== '');
    },
    async overflow() {
      const sizes = await Promise.all(frames().map((one) => one.evaluate<[number, number]>(OVERFLOW)));
      return [Math.max(...sizes.map(([down]) => down)), Math.max(...sizes.map(([, across]) => across))];
    },
    async keep(name) {
      const directory = join(ROOT, '.flightline/failed-tests');
      await mkdir(directory, { recursive: true });
      const file = join(directory, name.replaceAll(/\W+/g, '-'));
      await page.screenshot({ path: `${file}.png`, timeout: 10_000 }).catch(() => undefined);
      await writeFile(`${file}.html`, `<!-- ${page.url()} -->\n${await page.content()}`);
      console.error(`the page at the failure: ${file}.png and .html`);
    },
  };
}
