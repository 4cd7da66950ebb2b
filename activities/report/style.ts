/** The report's looks: light, sober, readable on a phone and on paper. */

/**
 * Colours of figures: variables of the page, so that they follow light, dark and paper; the second value is for a figure
 * taken out of it. Those of the groups stay apart for every kind of colour vision, and in grey (Okabe & Ito 2008).
 */
export const COLOUR = {
  reference: 'var(--reference, #5b6470)',
  treatment: 'var(--treatment, #0072b2)',
  ink: 'var(--ink, #1b1f24)',
  soft: 'var(--soft, #57606a)',
  axis: 'var(--axis, #8b949e)',
  paper: 'var(--paper, #ffffff)',
} as const;

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

const DARK = `--ink: #e6e9ed; --soft: #a9b2bc; --line: #353c45; --wash: #1c2128; --paper: #12161b; --accent: #6cb6ff; --warn: #e8a33d; --bad: #ff8a80; --axis: #7d8792; --reference: #b4bcc6; --treatment: #56b4e9;`;
const LIGHT = `--ink: #1b1f24; --soft: #57606a; --line: #d9dee3; --wash: #f6f7f9; --paper: #fff; --accent: #005a92; --warn: #8a4b00; --bad: #a40e26; --axis: #8b949e; --reference: #5b6470; --treatment: #0072b2;`;

export const CSS = `
:root { color-scheme: light dark; ${LIGHT} }
@media screen and (prefers-color-scheme: dark) { :root { ${DARK} } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 16px/1.55 ${FONT}; color: var(--ink); background: var(--paper); }
main, header, footer { max-width: 78rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; padding-bottom: .5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, ul, ol { max-width: 48rem; margin: .5rem 0; }
ul, ol { padding-left: 1.3rem; }
li { margin: .2rem 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code { font-size: .92em; }
.skip, .unseen, .live { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip:focus { width: auto; height: auto; margin: 0; clip-path: none; left: .5rem; top: .5rem; padding: .4rem .8rem; background: var(--paper); z-index: 3; }
.facts, .soft { color: var(--soft); font-size: .9rem; }
nav { font-size: .9rem; margin: .75rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: 1rem 0; padding: 0; list-style: none; max-width: none; }
.tiles li { background: var(--wash); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .85rem; margin: 0; }
.tiles b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .875rem; }
.note { border-left: 3px solid var(--accent); background: var(--wash); padding: .5rem .9rem; max-width: 48rem; margin: .75rem 0; }
.framed { position: relative; width: fit-content; max-width: 100%; }
.framed caption { padding-right: 4.5rem; }
.scroll { overflow-x: auto; margin: 1.25rem 0; width: fit-content; max-width: 100%; }
table { border-collapse: collapse; font-size: .84375rem; line-height: 1.4; font-variant-numeric: tabular-nums; min-width: 20rem; }
caption { text-align: left; font-weight: 600; padding: 0 0 .4rem; font-size: 1.1em; }
caption small, .heading small { font-weight: 400; color: var(--soft); font-size: 1em; }
thead { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody:last-of-type { border-bottom: 1.5px solid var(--ink); }
thead th { font-weight: 600; vertical-align: bottom; white-space: nowrap; }
th, td { padding: .26rem .5rem; text-align: right; vertical-align: baseline; white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: .1rem; }
tbody th { font-weight: 500; }
th.words, td.words, th.sentence, td.sentence, .heading th, tfoot td { text-align: left; }
td.words { white-space: normal; min-width: 4.5rem; }
td.sentence { white-space: normal; min-width: 13rem; }
.heading th { font-weight: 600; padding-top: .7rem; border-top: 1px solid var(--line); }
.heading + tr th { padding-left: .8rem; }
.heading ~ tr th { padding-left: .8rem; }
.level { padding-left: .9rem; }
tfoot td { max-width: 0; white-space: normal; color: var(--soft); font-size: .95em; padding-top: .4rem; }
.low { font-weight: 700; }
.none { color: var(--soft); font-style: italic; white-space: normal; }
.status-failed { color: var(--bad); font-weight: 600; }
.status-excluded { color: var(--warn); font-weight: 600; }
.copy { position: absolute; right: 0; top: -.2rem; margin: 0; font-size: .8125rem; z-index: 1; }
.copy summary { list-style: none; border: 1px solid var(--line); border-radius: .3rem; padding: .1rem .55rem; background: var(--paper); text-align: center; width: fit-content; margin-left: auto; }
.copy summary::-webkit-details-marker { display: none; }
.copy[open] { background: var(--paper); border: 1px solid var(--line); border-radius: .3rem; padding: .3rem; box-shadow: 0 4px 14px rgb(0 0 0 / .18); }
.copy[open] summary { border-color: transparent; }
.copy button { display: block; width: 100%; font: inherit; color: var(--ink); background: var(--wash); border: 1px solid var(--line); border-radius: .3rem; margin-top: .25rem; padding: .25rem .8rem; cursor: pointer; text-align: left; }
.copy button:hover { border-color: var(--accent); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.25rem 1.5rem; margin: 1rem 0; }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure svg, figure img { display: block; max-width: 100%; height: auto; }
figure svg { font-family: ${FONT}; }
.plot { position: relative; width: fit-content; max-width: 100%; }
.plot a { cursor: pointer; }
.chosen { stroke: var(--ink); stroke-width: 2.5px; opacity: 1; }
.tip { position: absolute; pointer-events: none; background: var(--ink); color: var(--paper); font-size: .8125rem; line-height: 1.3; padding: .2rem .5rem; border-radius: .25rem; white-space: nowrap; z-index: 2; }
.flow { margin: 1rem 0 1.5rem; }
.flow rect { fill: var(--wash); stroke: var(--soft); }
.flow text { fill: var(--ink); font-size: 12.5px; }
.flow-title { font-weight: 600; }
.flow-line { fill: none; stroke: var(--soft); stroke-width: 1.25; }
.pictures figure { margin: 1rem 0; }
.pictures img { background: #000; border-radius: .25rem; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .3rem; max-width: 48rem; }
figcaption b { color: var(--ink); }
.references { padding-left: 2rem; font-size: .9rem; }
.references li { margin: .35rem 0; overflow-wrap: anywhere; }
details { margin: 1rem 0; }
summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .85rem; margin-top: 3rem; padding-top: 1rem; padding-bottom: 2.5rem; }
@media screen and (max-width: 46rem) {
  h1 { font-size: 1.4rem; }
  .framed { width: 100%; }
  .framed caption { padding-right: 0; }
  .framed .scroll { margin-top: .25rem; }
  .copy { position: relative; width: fit-content; margin-left: auto; }
  /* The diagram would be too small to read: its words instead. */
  .flow svg { display: none; }
  .flow .unseen { position: static; width: auto; height: auto; margin: 0; clip-path: none; white-space: normal; color: var(--ink); }
}
@media print {
  @page { size: A4 landscape; margin: 13mm; }
  :root { color-scheme: light; }
  body { font-size: 9.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  p, ul, ol, .note, figcaption { max-width: none; }
  h2 { margin-top: 1.5rem; }
  h3 { margin: 1rem 0 .25rem; }
  nav, .skip, .copy, .tip { display: none; }
  h2, h3, caption, .heading { break-after: avoid; }
  tr, li, .tiles { break-inside: avoid; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  .scroll { overflow: visible; max-width: none; break-inside: avoid; }
  table { font-size: 7.5pt; line-height: 1.3; }
  .heading th { padding-top: .3rem; }
  th, td { padding: .14rem .3rem; }
  .plots { grid-template-columns: repeat(4, 1fr); gap: .8rem 1rem; }
  figcaption { font-size: 8pt; line-height: 1.35; }
  .wide { grid-template-columns: repeat(2, 1fr); }
  .wide svg { max-height: 140mm; width: auto; }
  .tiles { grid-template-columns: repeat(5, 1fr); }
  .flow svg { max-height: 165mm; width: auto; }
  .references a { color: inherit; text-decoration: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details > summary { list-style: none; }
}
`;
