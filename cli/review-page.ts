/**
 * Reviewing in a browser: one page without scripts, forms that send decisions. It is served on the loopback address only,
 * under a random token that nobody else of the machine knows; whoever lacks it can neither read nor write.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { publishedSubjects, type Standing, standings } from '../activities/qc/standing.ts';
import { type Html, html, table, trusted } from '../activities/report/markup.ts';
import { CSS } from '../activities/report/style.ts';
import type { Study } from '../config/study.ts';
import type { Choice, Verdict } from '../pipeline/decisions.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { infoOf } from '../pipeline/qc/dictionary.ts';
import type { Metrics } from '../pipeline/qc/types.ts';
import { CommandError } from './exit-codes.ts';
import type { Output } from './output.ts';
import { outcomeOf, worstFirst } from './review.ts';

/** Far more than a form with a reason needs. */
const MOST_BYTES = 20_000;

const FORM_CSS = `
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; }
input { font: inherit; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: .3rem; flex: 1 1 12rem; }
button { font: inherit; padding: .25rem .9rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--wash); cursor: pointer; }
article { border-top: 1px solid var(--line); padding: .75rem 0; }
article h2 { border: 0; margin: 0; padding: 0; font-size: 1.05rem; }
.level-exclude { color: var(--bad); } .level-warn { color: var(--warn); }
`;

function metricsTable({ qc }: Standing): Html {
  const rows: [string, Metrics][] = [
    ...qc.sessions.map(({ session, metrics }): [string, Metrics] => [session ?? 'value', metrics]),
    ...(qc.longitudinal ? [['pair', qc.longitudinal.metrics] as [string, Metrics]] : []),
  ];
  const names = [...new Set(rows.flatMap(([, metrics]) => Object.keys(metrics)))];
  const shown = (value: number | null | undefined) =>
    typeof value === 'number' ? String(Number(value.toPrecision(4))) : '';
  return table('Metrics', names, [
    { head: 'metric', cell: (name) => name, kind: 'words' },
    ...rows.map(([head, metrics]) => ({ head, cell: (name: string) => shown(metrics[name]) })),
    { head: 'unit', cell: (name) => infoOf(name)?.units ?? '', kind: 'words' },
    { head: 'what it is', cell: (name) => infoOf(name)?.description ?? '', kind: 'sentence' },
  ]);
}

function article(one: Standing, reviewer: string): Html {
  const { subject, level, reasons } = one;
  return html`<article id="${subject}">
<h2><a href="${subject}.html">${subject}</a> <span class="level-${level}">${level}</span></h2>
<p class="soft">${outcomeOf(one)}</p>
<ul>${reasons.map(({ session, why }) => html`<li>${session ? `ses-${session}: ` : ''}${why}</li>`)}</ul>
<form method="post" action="decide">
<input type="hidden" name="subject" value="${subject}">
<input name="reason" required maxlength="1000" placeholder="reason" aria-label="Reason for the decision on ${subject}">
<input name="who" required maxlength="200" value="${reviewer}" aria-label="Reviewer">
<button name="decision" value="include">include</button>
<button name="decision" value="exclude">exclude</button>
</form>
<details><summary>metrics</summary>${metricsTable(one)}</details>
</article>
`;
}

/** The page. @param told what the last decision came to */
export function reviewPage(study: string, all: readonly Standing[], reviewer: string, told?: string): string {
  const awaits = all.filter((one) => one.awaits).length;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${study}: quality review</title>
<style>${trusted(CSS + FORM_CSS)}</style>
</head>
<body>
<header><h1>${study}: quality review</h1>
<div class="facts">${all.length} subjects, ${awaits} await a decision. Worst first.</div></header>
<main>
${told !== undefined && html`<p class="note" role="status">${told}</p>`}
${worstFirst(all).map((one) => article(one, reviewer))}</main>
<footer>Decisions are kept in qc.tsv beside the outputs; the last one of a subject counts.</footer>
</body>
</html>
`.markup;
}

/** What a review needs of the rest. */
export interface Review {
  readonly study: string;
  readonly reviewer: string;
  /** Folder with the subjects' pages. */
  readonly output: string;
  look(): Promise<readonly Standing[]>;
  /** @returns what it came to, in words */
  decide(verdict: Verdict): Promise<string>;
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};
/** The review page has no scripts, and sends its forms to nobody else. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'";

function send(response: ServerResponse, status: number, body: string | Buffer, headers: object = {}): void {
  response
    .writeHead(status, { ...HEADERS, 'Content-Type': 'text/html; charset=utf-8', ...headers })
    .end(body);
}

const words = (response: ServerResponse, status: number, text: string) =>
  send(response, status, `${text}\n`, { 'Content-Type': 'text/plain; charset=utf-8' });

/** The form that was sent; undefined where it is too long. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    if ((bytes += part.length) > MOST_BYTES) return undefined;
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString('utf8'));
}

/** What a request wants below the token; undefined where it does not have it. */
function wantedOf(request: IncomingMessage, token: string): string | undefined {
  const [, given = '', ...rest] = (request.url ?? '').split('?')[0].split('/');
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b) ? rest.join('/') : undefined;
}

/**
 * A server of the review page, listening on a free port of 127.0.0.1.
 * @returns the server and the page's address, which holds the token
 */
export async function reviewServer(review: Review): Promise<{ server: Server; url: string }> {
  const token = randomBytes(32).toString('base64url');
  let host = '';
  /** What the last decision came to, shown once. */
  let told: string | undefined;
  const page = async (response: ServerResponse, status = 200, told?: string) =>
    send(response, status, reviewPage(review.study, await review.look(), review.reviewer, told), {
      'Content-Security-Policy': POLICY,
    });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A foreign page may point a name of its own at this machine; the host it asks for tells.
    const wanted = request.headers.host === host ? wantedOf(request, token) : undefined;
    if (wanted === undefined) return words(response, 404, 'Not found');
    if (request.method === 'POST' && wanted === 'decide') {
      const form = await formOf(request);
      if (!form) return words(response, 413, 'Too long');
      const field = (name: string) => form.get(name) ?? '';
      try {
        told = await review.decide({
          subject: field('subject'),
          decision: field('decision') as Choice,
          reason: field('reason'),
          who: field('who'),
        });
        // Loading the page again must not decide again.
        response.writeHead(303, { ...HEADERS, Location: `/${token}/` }).end();
        return;
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        return page(response, 400, error.message);
      }
    }
    if (request.method !== 'GET') return words(response, 405, 'Not allowed');
    if (wanted === '') {
      const news = told;
      told = undefined;
      return page(response, 200, news);
    }
    if (/^(sub-[A-Za-z0-9]+|report)\.html$/.test(wanted)) {
      const file = await readFile(join(review.output, wanted)).catch(() => undefined);
      if (file) return send(response, 200, file);
    }
    return words(response, 404, 'Not found');
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      const failure = error instanceof DeltaMdError ? `\n${error.failure.remedy}` : '';
      words(response, 500, `${error.message}${failure}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { server, url: `http://${host}/${token}/` };
}

/** Serves the review of a study until the command is interrupted. */
export async function serveReview(
  study: Study,
  reviewer: string,
  out: Output,
  decideOn: (verdict: Verdict) => Promise<string>,
): Promise<void> {
  const { server, url } = await reviewServer({
    study: study.title ?? study.study,
    reviewer,
    output: study.output,
    look: async () => standings(study, await publishedSubjects(study)),
    decide: decideOn,
  });
  out.say(`Review: ${url}`);
  out.say('This machine only, with this address only. Ctrl-C ends it.');
  out.result({ url });
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  server.closeAllConnections();
  server.close();
}
