/** The group report in a real browser: alone, in light, dark and on paper, by pointer, keys and screen reader. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderGroupReport } from '../../activities/report/html.ts';
import { wholeReport } from '../fixtures/group-report.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

if (!existsSync(CHROMIUM)) console.warn(`Skipped: no browser at ${CHROMIUM}; set CHROMIUM to its path.`);

describe.skipIf(!existsSync(CHROMIUM))('the page in Chromium', () => {
  let browser: Browser;
  let folder: string;
  let address: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-report-'));
    await writeFile(join(folder, 'report.html'), await renderGroupReport(wholeReport()));
    await writeFile(join(folder, 'sub-01.html'), '<title>sub-01</title>');
    address = pathToFileURL(join(folder, 'report.html')).href;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What a page asked for and complained about. */
  interface Visit {
    readonly page: Page;
    readonly asked: string[];
    readonly complaints: string[];
  }

  async function visit(
    options: Parameters<Browser['newContext']>[0],
    look: (visit: Visit) => Promise<void>,
  ): Promise<void> {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const asked: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(address);
      await look({ page, asked, complaints });
    } finally {
      await context.close();
    }
  }

  /** Figures are hidden from screen readers, which have their captions; walking through all their points takes long. */
  const seriousViolations = (page: Page): Promise<string[]> =>
    page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: {
          run(
            context: object,
          ): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run({ exclude: ['svg'] });
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.length}, such as ${nodes[0].html.slice(0, 200)}`);
    });

  test.each(['light', 'dark'] as const)(
    '%s: asks for nothing, complains of nothing, open to all',
    async (colorScheme) => {
      await visit({ colorScheme }, async ({ page, asked, complaints }) => {
        expect(asked.filter((url) => !url.startsWith('data:'))).toEqual([address]);
        expect(complaints).toEqual([]);
        for (const name of ['Summary', 'Subjects', 'Sensitivity', 'References'])
          expect(await page.getByRole('heading', { name, exact: true }).count()).toBe(1);
        const opened = await page.evaluate(
          `for (const part of document.querySelectorAll('details')) part.open = true`,
        );
        expect(opened).toBe(true);
        await page.evaluate(AXE);
        expect(await seriousViolations(page)).toEqual([]);
      });
    },
  );

  test.each([1280, 400])('%i pixels wide: the page itself does not scroll sideways', async (width) => {
    await visit({ viewport: { width, height: 900 } }, async ({ page }) => {
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    });
  });

  test('copies a table as TSV, Word and LaTeX, by keys alone, and says so', async () => {
    await visit({ permissions: ['clipboard-read', 'clipboard-write'] }, async ({ page }) => {
      const copied = (type: string): Promise<string> =>
        page.evaluate(
          `navigator.clipboard.read().then(([item]) => item.getType('${type}')).then((blob) => blob.text())`,
        );
      const copy = async (form: string) => {
        const summary = page.getByLabel(/^Copy table: Table 2a/);
        await summary.focus();
        await page.keyboard.press('Enter');
        const buttons = ['TSV', 'Word', 'LaTeX'];
        for (let i = 0; i <= buttons.indexOf(form); i++) await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.getByText(new RegExp(`^Copied as ${form}: Table 2a`)).waitFor({ state: 'attached' });
      };
      await copy('TSV');
      const tsv = (await copied('text/plain'))
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'));
      expect(tsv[0]).toEqual(['', 'B [95 % CI]', 'SE', 'β', 't', 'p', 'p Holm', 'p FDR', 'partial r']);
      expect(new Set(tsv.map((row) => row.length))).toEqual(new Set([9]));
      expect(tsv).toHaveLength(1 + 7 * 4);
      expect(tsv[1][0]).toMatch(/^lBA10 n = 97, R² = /);
      expect(tsv.flat().join('')).not.toContain('\u2212');

      await copy('Word');
      const word = await copied('text/html');
      expect(word.match(/<tr/g)).toHaveLength(1 + 7 * 4);
      expect(word).toContain('border-top:1pt solid');
      expect(word).toContain('Table 2a.');

      await copy('LaTeX');
      const latex = await copied('text/plain');
      expect(latex).toContain('\\begin{tabular}{lrrrrrrrr}');
      expect(latex).toContain(
        '\\toprule\n & B [95 \\% CI] & SE & $\\beta$ & t & p & p Holm & p FDR & partial r \\\\\n\\midrule',
      );
      expect(latex).toContain('\\multicolumn{9}{l}{\\textit{lBA10 n = 97, R$^2$ = ');
      expect(latex).toContain('dMD $\\times$ group & ');
      expect(latex.match(/(?<!\\)[%&#_](?![^\n]*\\\\)(?!.*usepackage)/)?.[0] ?? 'none').toBe('none');
    });
  });

  test('points: the pointer and the arrow keys tell the subject, Enter and a click open its page', async () => {
    await visit({}, async ({ page }) => {
      const figure = page.locator('figure.points[aria-label^="lBA10, MADRS"]');
      const plot = figure.locator('.plot');
      await plot.focus();
      await page.keyboard.press('End');
      const tip = figure.locator('.tip');
      expect(await tip.textContent()).toMatch(
        /^sub-\d+, (vehicle|ketamine): dMD −?0\.\d{4}, MADRS −?\d+\.0$/,
      );
      const first = await tip.textContent();
      await page.keyboard.press('ArrowLeft');
      expect(await tip.textContent()).not.toBe(first);
      await page.keyboard.press('Escape');
      expect(await tip.isVisible()).toBe(false);
      await figure.locator('a[href="sub-01.html"] path').hover({ force: true });
      expect(await tip.isVisible()).toBe(true);
      await figure.locator('a[href="sub-01.html"]').dispatchEvent('click');
      await page.waitForURL(/sub-01\.html$/);
    });
  });

  test('Enter on a point follows its link', async () => {
    await visit({}, async ({ page }) => {
      const plot = page.locator('figure.points[aria-label^="lBA10, MADRS"] .plot');
      await plot.focus();
      const tip = plot.locator('.tip');
      for (let i = 0; i < 98 && !/^sub-01,/.test((await tip.textContent()) ?? ''); i++)
        await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Enter');
      await page.waitForURL(/sub-01\.html$/);
    });
  });

  test('paper: everything open, nothing cut, no buttons', async () => {
    await visit({ viewport: { width: 1024, height: 700 } }, async ({ page }) => {
      await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      const cut = await page.evaluate(`[...document.querySelectorAll('.scroll')]
        .filter((box) => box.getBoundingClientRect().right > innerWidth + 1)
        .map((box) => box.getAttribute('aria-label') + ' ' + Math.round(box.getBoundingClientRect().right))`);
      expect(cut).toEqual([]);
      expect(await page.evaluate(`document.querySelectorAll('details:not([open]):not(.copy)').length`)).toBe(
        0,
      );
      expect(await page.locator('.copy').first().isVisible()).toBe(false);
      // Paper is white, whatever the screen is.
      expect(await page.evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe(
        'rgb(255, 255, 255)',
      );
      await page.evaluate(`dispatchEvent(new Event('afterprint'))`);
      expect(
        await page.evaluate(`document.querySelectorAll('details:not([open]):not(.copy)').length`),
      ).toBeGreaterThan(0);
    });
  });

  test('without scripts: the whole page, and no button that does nothing', async () => {
    await visit({ javaScriptEnabled: false }, async ({ page }) => {
      expect(await page.locator('button, .copy').count()).toBe(0);
      expect(await page.locator('table').count()).toBeGreaterThan(10);
      expect(await page.locator('figure.points svg').first().isVisible()).toBe(true);
      expect(await page.locator('.scroll').first().isVisible()).toBe(true);
    });
  });
});
