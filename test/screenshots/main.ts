/**
 * Photographs the Temporal UI for docs/temporal-ui.md: a cohort is run on a server of its own until some subjects are
 * done, some failed, some under way, and the views that people use are taken with Chromium.
 *   npm run screenshots
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { type Browser, chromium, type Page } from 'playwright-core';
import { EmbeddedTemporal, NAMESPACE } from '../../cli/temporal/embedded.ts';
import { registerSearchAttributes } from '../../cli/temporal/search-attributes.ts';
import { CONTROL_UPDATE, TABLE_QUERY } from '../../pipeline/messages.ts';
import { counts, type Roster, rowsOf } from '../../pipeline/roster.ts';
import type { cohortWorkflow } from '../../workflows/index.ts';
import { STUDY } from '../../workflows/search-attributes.ts';
import { waitFor } from '../integration/harness.ts';
import { noopWorkers } from '../integration/noop.ts';
import { plan, roster, STUDY_NAME, stagedActivities } from './cohort.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, 'docs/images/temporal-ui');
const COHORT = `${STUDY_NAME}/cohort`;
const TASK_QUEUE = 'delta-md';
const WIDTH = 1500;
const FLAGS = [
  'no-sandbox',
  'disable-gpu',
  'disable-quic',
  'no-first-run',
  'disable-background-networking',
  'disable-component-update',
  'disable-sync',
].map((flag) => `--${flag}`);

/** Runs the cohort until it is as it is to be seen, then `look`. */
async function withCohort(look: (ui: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'delta-md-screenshots-'));
  const server = await EmbeddedTemporal.start(folder, { grpc: 0, ui: 0 }, console.log);
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection, namespace: NAMESPACE });
  const { activities, release } = stagedActivities();
  const native = await NativeConnection.connect({ address: server.address });
  try {
    await registerSearchAttributes(connection, NAMESPACE);
    const worker = await noopWorkers(native, TASK_QUEUE, activities, { maxHeartbeatThrottleInterval: '1s' });
    try {
      const handle = await client.workflow.start<typeof cohortWorkflow>('cohortWorkflow', {
        workflowId: COHORT,
        taskQueue: TASK_QUEUE,
        args: [{ plan, roster }],
        staticSummary: `${STUDY_NAME}: ${roster.subjects.length} subjects, profile ${plan.profile.name}`,
        staticDetails: `Study file ${plan.studyFile}`,
        typedSearchAttributes: [{ key: STUDY, value: STUDY_NAME }],
      });
      const tally = async () => counts(rowsOf(await handle.query<Roster>(TABLE_QUERY)));
      await waitFor(
        async () => (await tally()).running === 8 && (await tally()).failed === 4,
        undefined,
        180,
      );
      await waitFor(async () => (await tally()).waiting <= 3, undefined, 180);
      await handle.executeUpdate(CONTROL_UPDATE, { args: [{ paused: true }] });
      await look(`${server.ui}/namespaces/${NAMESPACE}/workflows`);
      release();
      await handle.terminate();
    } finally {
      await worker.stop();
    }
  } finally {
    await native.close();
    await connection.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Columns of the list of workflows: the UI keeps a user's choice in the browser. */
const COLUMNS = ['Status', 'Workflow ID', 'DeltaMdStudy', 'DeltaMdSubject', 'DeltaMdFailure', 'Start'];

/** What the UI has on its left and above each page, in pixels: cut off. */
const FRAME = { left: 256, top: 48 };
/** The UI draws late: tables and Markdown come by requests of their own. */
const SETTLE_MS = 4000;
const PATIENCE_MS = 60_000;

class Camera {
  readonly #page: Page;
  readonly #ui: string;

  private constructor(page: Page, ui: string) {
    this.#page = page;
    this.#ui = ui;
  }

  static async open(browser: Browser, ui: string): Promise<Camera> {
    const page = await browser.newPage({ colorScheme: 'light' });
    page.setDefaultTimeout(PATIENCE_MS);
    const columns = { [NAMESPACE]: COLUMNS.map((label, i) => ({ label, pinned: i < 2 })) };
    const kept = JSON.stringify(JSON.stringify(columns));
    await page.addInitScript(`localStorage.setItem('namespace-workflow-table-columns', ${kept})`);
    return new Camera(page, ui);
  }

  /** The list of workflows that a query finds. */
  async list(name: string, query: string, height: number): Promise<void> {
    await this.#page.setViewportSize({ width: WIDTH, height });
    await this.#page.goto(`${this.#ui}?query=${encodeURIComponent(query)}`);
    await this.#page.getByText('DeltaMdFailure').first().waitFor();
    await this.#take(name);
  }

  /** A tab of one workflow's page, or its timeline. @param below text from which on the picture is taken */
  async workflow(id: string, tab: string, name: string, height: number, below?: string): Promise<void> {
    await this.#page.setViewportSize({ width: WIDTH, height });
    await this.#page.goto(`${this.#ui}/${encodeURIComponent(`${STUDY_NAME}/${id}`)}`);
    await this.#page.waitForURL(/timeline/);
    if (tab !== 'timeline') await this.#page.locator(`a[href*="/${tab}"]`).first().click();
    await this.#take(name, below);
  }

  async #take(name: string, below?: string): Promise<void> {
    await this.#page.waitForLoadState('networkidle', { timeout: SETTLE_MS }).catch(() => {});
    await this.#page.waitForTimeout(SETTLE_MS);
    const { width, height } = this.#page.viewportSize() ?? { width: WIDTH, height: 0 };
    const from = below ? await this.#page.getByText(below, { exact: true }).last().boundingBox() : undefined;
    const y = from ? Math.max(FRAME.top, from.y - 24) : FRAME.top;
    await this.#page.screenshot({
      path: join(OUT, `${name}.png`),
      clip: { x: FRAME.left, y, width: width - FRAME.left, height: height - y },
    });
    console.log(`docs/images/temporal-ui/${name}.png`);
  }
}

await mkdir(OUT, { recursive: true });
await withCohort(async (ui) => {
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: FLAGS,
  });
  try {
    const camera = await Camera.open(browser, ui);
    await camera.list('workflows', `\`DeltaMdStudy\`='${STUDY_NAME}'`, 980);
    await camera.workflow('cohort', 'user-metadata', 'cohort-details', 1000);
    await camera.workflow('cohort', 'timeline', 'cohort-timeline', 1500, 'Timeline');
    await camera.workflow('sub-05', 'timeline', 'subject-timeline', 1480, 'Timeline');
    await camera.workflow('sub-07', 'user-metadata', 'subject-failed', 1120);
    await camera.workflow('sub-12', 'timeline', 'subject-failed-result', 760);
    await camera.workflow('sub-33', 'pending-activities', 'pending-activities', 800);
  } finally {
    await browser.close();
  }
});
