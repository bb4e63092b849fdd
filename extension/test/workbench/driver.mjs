// What the tests do in the workbench, in the words of a user. Only waiting locators: nothing reads the page just once.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const PATIENCE_MS = 20_000;

/** A page with a workbench in it, and what a user does there. */
export async function openWorkbench({ executablePath, url, viewport = { width: 1280, height: 800 } }) {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--force-device-scale-factor=1'],
  });
  const context = await browser.newContext({ viewport, reducedMotion: 'reduce' });
  context.setDefaultTimeout(PATIENCE_MS);
  // Nothing but the workbench on this machine may be reached; whatever tries is remembered.
  const strangers = [];
  await context.route(
    ({ hostname }) => hostname !== '127.0.0.1',
    (route) => {
      strangers.push(route.request().url());
      return route.abort();
    },
  );
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.monaco-workbench').waitFor();
  await page.locator('.explorer-folders-view [role=treeitem]').first().waitFor();

  const editor = (name) => page.locator(`.editor-instance .monaco-editor[data-uri$="/${name}"]`);

  const reportFrame = () => page.frameLocator('iframe.webview.ready').last().frameLocator('iframe#active-frame');

  /** Runs a command by its title in the palette. */
  const command = async (title) => {
    const input = page.locator('.quick-input-widget input.input');
    // A key can be lost while the focus moves into or out of a webview: press again, as a user would.
    for (let presses = 1; ; presses++) {
      await page.keyboard.press('F1');
      const opened = input.waitFor({ state: 'visible', timeout: presses < 5 ? 3_000 : PATIENCE_MS });
      if (
        await opened.then(
          () => true,
          (error) => (presses < 5 ? false : Promise.reject(error)),
        )
      )
        break;
    }
    await input.fill(`>${title}`);
    const row = page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first();
    await row.waitFor();
    await row.click();
    await page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  };

  return {
    page,
    strangers,
    editor,
    command,

    /** Opens a file of the workspace in an editor of its own and waits for its text. */
    open: async (name) => {
      await page.locator('.explorer-folders-view [role=treeitem]', { hasText: name }).first().dblclick();
      await editor(name).locator('.view-line').first().waitFor();
      return editor(name);
    },

    /** Puts the cursor at a 1-based line and column of the active editor. */
    goTo: async (line, column = 1) => {
      await page.keyboard.press('Control+G');
      const input = page.locator('.quick-input-widget input.input');
      await input.waitFor({ state: 'visible' });
      await input.fill(`:${line}:${column}`);
      await page.keyboard.press('Enter');
      await page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
    },

    /** The document inside the report's webview. */
    reportFrame,
    report: () => reportFrame().locator('#report'),

    /** The rows of the Problems view. */
    problems: async () => {
      await command('Problems: Focus on Problems View');
      await page.locator('.markers-panel').waitFor();
      return page.locator('.markers-panel [role=treeitem]');
    },

    closeEditors: () => command('View: Close All Editors'),

    /** Keeps a picture for the documents when asked to (UPDATE_SCREENSHOTS=1), so that tests leave the tree clean. */
    picture: async (name) => {
      if (process.env.UPDATE_SCREENSHOTS !== '1') return;
      const path = join(root, 'docs/images', `${name}.png`);
      mkdirSync(dirname(path), { recursive: true });
      await page.screenshot({ path, animations: 'disabled' });
    },

    /** For a failed test: what the screen looked like. */
    evidence: async (name) => {
      const path = join(root, 'out/workbench', `${name}.png`);
      mkdirSync(dirname(path), { recursive: true });
      await page.screenshot({ path, animations: 'disabled' }).catch(() => undefined);
      return path;
    },

    close: () => browser.close(),
  };
}
