/** The subject's page in a real browser: silent, offline, accessible; pictures take turns, the viewer draws. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decode } from 'fast-png';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { renderSubjectPage } from '../../activities/report/subject/page.ts';
import { packedViewer } from '../../activities/report/subject/viewer.ts';
import { examplePage } from '../fixtures/subject-page.ts';

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const there = existsSync(CHROMIUM);
if (!there) console.warn(`\n*** SKIPPED: no Chromium at ${CHROMIUM} (CHROMIUM_PATH). ***\n`);
/** Software rendering of WebGL, on two busy cores. */
const PATIENCE_MS = 60_000;

/** Colours of a picture: what draws nothing has one. */
const distinct = (png: Uint8Array) => {
  const { data, channels } = decode(png);
  const seen = new Set<string>();
  for (let i = 0; i < data.length; i += channels) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
  return seen;
};

describe.skipIf(!there)('the page in Chromium', () => {
  let folder: string;
  let url: string;
  let browser: Browser;
  let page: Page;
  /** All that must not be there. */
  let said: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'subject-page-browser-'));
    const file = join(folder, 'sub-03.html');
    await writeFile(file, renderSubjectPage(await examplePage(await packedViewer())));
    url = pathToFileURL(file).href;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        '--ignore-gpu-blocklist',
      ],
    });
  }, PATIENCE_MS);
  afterEach(() => page?.close());
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    page.setDefaultTimeout(PATIENCE_MS);
    said = [];
    page.on('console', (message) => {
      if (message.type() === 'error') said.push(message.text());
    });
    page.on('pageerror', (error) => said.push(error.message));
    await page.route(/^(?!file:|data:|blob:)/, async (route) => {
      said.push(`asked for ${route.request().url()}`);
      await route.abort();
    });
    await page.goto(url);
    return page;
  }

  for (const colorScheme of ['light', 'dark'] as const)
    test(
      `axe finds nothing serious, ${colorScheme}`,
      async () => {
        await open({ colorScheme, reducedMotion: 'reduce' });
        for (const details of await page.locator('details').all())
          await details.evaluate((d) => d.setAttribute('open', ''));
        const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
        // Evaluated by the debugger, which the page's policy does not bind.
        await page.evaluate(axe);
        const found: AxeViolation[] = await page.evaluate('axe.run().then((found) => found.violations)');
        const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        expect(
          serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`),
        ).toEqual([]);
        expect(said).toEqual([]);
      },
      2 * PATIENCE_MS,
    );

  test(
    'pictures take turns by themselves, and stand still on demand by keyboard',
    async () => {
      await open();
      const figure = page.locator('figure[data-show]').first();
      const second = figure.locator('.frame').nth(1);
      const shown = async () => ((await second.isVisible()) ? 'visible' : 'hidden');
      expect(await figure.getAttribute('data-show')).toBe('turns');
      const at = async (time: number) => {
        await second.evaluate((frame, ms) => {
          for (const animation of frame.getAnimations()) {
            animation.pause();
            animation.currentTime = ms;
          }
        }, time);
        return [await shown(), (await figure.locator('.frames').screenshot()).toString('base64')];
      };
      const [hidden, before] = await at(200);
      const [visible, after] = await at(1200);
      expect([hidden, visible]).toEqual(['hidden', 'visible']);
      expect(after).not.toBe(before);
      // Both lie in one place.
      const boxes = [await figure.locator('.frame').first().boundingBox(), await second.boundingBox()];
      expect(boxes[0]).toEqual(boxes[1]);

      await figure.getByRole('button', { name: 'as acquired' }).focus();
      await page.keyboard.press('Enter');
      expect(await figure.getAttribute('data-show')).toBe('first');
      expect(await shown()).toBe('hidden');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      expect(await shown()).toBe('visible');
      expect(await figure.getByRole('button', { name: 'after topup' }).getAttribute('aria-pressed')).toBe(
        'true',
      );
      expect(said).toEqual([]);
    },
    PATIENCE_MS,
  );

  test.each([
    ['without scripts', { javaScriptEnabled: false }],
    ['where nothing may move', { reducedMotion: 'reduce' as const }],
  ])('%s both pictures stand side by side', async (_, options) => {
    await open(options);
    const boxes = await Promise.all(
      [0, 1].map((i) => page.locator('figure[data-show]').first().locator('.frame').nth(i).boundingBox()),
    );
    expect(boxes[1]!.x).toBeGreaterThan(boxes[0]!.x + boxes[0]!.width - 1);
    expect(boxes[1]!.y).toBe(boxes[0]!.y);
  });

  test(
    'the viewer draws, another map otherwise, and asks for nothing',
    async () => {
      await open({ reducedMotion: 'reduce' });
      const viewer = page.locator('#viewer');
      expect(await page.evaluate('"niivue" in window')).toBe(false);
      await viewer.getByRole('button', { name: 'Open the viewer' }).click();
      await expect
        .poll(() => viewer.locator('[role=status]').textContent(), { timeout: PATIENCE_MS })
        .toBe('');
      const drawn = async () => {
        await page.evaluate(
          'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))',
        );
        return distinct(await viewer.locator('canvas').screenshot());
      };
      const fa = await drawn();
      expect(fa.size).toBeGreaterThan(20);
      const coloured = (colours: Set<string>) =>
        [...colours].filter((rgb) => {
          const [r, , b] = rgb.split(',').map(Number);
          return Math.abs(r - b) > 60;
        }).length;
      await viewer.getByLabel('dMD').check();
      const change = await drawn();
      expect(coloured(change)).toBeGreaterThan(coloured(fa) + 5);
      await viewer.locator('canvas').click({ position: { x: 150, y: 200 } });
      await expect
        .poll(() => viewer.locator('output').textContent(), { timeout: PATIENCE_MS })
        .toMatch(/mm: FA.*dMD/);
      expect(said).toEqual([]);
    },
    3 * PATIENCE_MS,
  );

  test('fits a phone: nothing but tables scrolls sideways', async () => {
    await open({ viewport: { width: 360, height: 740 }, reducedMotion: 'reduce' });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  });
});

interface AxeViolation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}
