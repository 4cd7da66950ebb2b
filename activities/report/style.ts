/** The report's looks: light, sober, readable on a phone and on paper. */

/** Two colours that stay apart for every kind of colour vision, and in grey (Okabe & Ito 2008). */
export const GROUP_COLOURS = { reference: '#4d5561', treatment: '#0072b2' } as const;

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export const CSS = `
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d9dee3; --wash: #f6f7f9; --accent: #0072b2; --warn: #8a4b00; --bad: #a40e26; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 ${FONT}; color: var(--ink); background: #fff; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; padding-bottom: .5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .75rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, ul { max-width: 46rem; margin: .5rem 0; }
ul { padding-left: 1.2rem; }
a { color: var(--accent); }
.facts, .soft { color: var(--soft); font-size: .9rem; }
nav { font-size: .9rem; margin: .75rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; list-style: none; max-width: none; }
.tiles li { background: var(--wash); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .85rem; }
.tiles b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .875rem; }
.note { border-left: 3px solid var(--accent); background: var(--wash); padding: .5rem .9rem; max-width: 46rem; margin: .75rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .84375rem; line-height: 1.4; font-variant-numeric: tabular-nums; min-width: 20rem; }
caption { text-align: left; font-weight: 600; padding: 0 0 .4rem; font-size: .9375rem; }
caption small { font-weight: 400; color: var(--soft); font-size: .85rem; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; white-space: nowrap; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
tbody th { font-weight: 500; }
th.words, td.words, th.sentence, td.sentence { text-align: left; }
td.words { white-space: normal; min-width: 4.5rem; }
td.sentence { white-space: normal; min-width: 13rem; }
.low { font-weight: 700; }
.none { color: var(--soft); font-style: italic; white-space: normal; }
.status-failed { color: var(--bad); font-weight: 600; }
.status-excluded { color: var(--warn); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem 1.5rem; margin: 1rem 0; }
.strips { grid-template-columns: repeat(auto-fill, minmax(min(100%, 11rem), 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure svg, figure img { display: block; max-width: 100%; height: auto; }
.pictures figure { margin: 1rem 0; }
.pictures img { background: #000; border-radius: .25rem; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .3rem; max-width: 46rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .85rem; margin-top: 3rem; padding-top: 1rem; padding-bottom: 2.5rem; }
@media (max-width: 40rem) { h1 { font-size: 1.4rem; } }
@media print {
  @page { size: landscape; margin: 14mm; }
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: .2rem .35rem; }
  .plots { grid-template-columns: repeat(3, 1fr); }
  .strips { grid-template-columns: repeat(4, 1fr); }
  .tiles { grid-template-columns: repeat(5, 1fr); }
  details::details-content { content-visibility: visible; block-size: auto; }
}
`;
