/** What the subject's page adds to the report's looks. */
import { DIVERGING_STOPS } from './colours.ts';

export const SUBJECT_CSS = `
:root { --good: #1a6b2d; }
@media screen and (prefers-color-scheme: dark) { :root { --good: #74cf87; } }
.verdict { display: inline-block; font-weight: 700; padding: .15rem .7rem; border-radius: 1rem; border: 2px solid currentColor; }
.verdict-pass { color: var(--good); }
.verdict-warn { color: var(--warn); }
.verdict-exclude { color: var(--bad); }
.reasons, .notes { max-width: 60rem; }
.notes { color: var(--soft); font-size: .9rem; }
.place { font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem 1.5rem; margin: .75rem 0; }
.pair.wide { grid-template-columns: 1fr; }
.shot img { display: block; max-width: 100%; height: auto; background: #000; border-radius: .25rem; image-rendering: auto; }
.slices img { image-rendering: pixelated; }
.frames { display: grid; gap: .5rem; }
.frames b { display: block; font-size: .8rem; font-weight: 600; color: var(--soft); }
figure[data-show=both] .frames { grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
figure[data-show=turns] .frame, figure[data-show=first] .frame, figure[data-show=second] .frame { grid-area: 1 / 1; }
figure[data-show=first] .frame + .frame, figure[data-show=second] .frame:first-child { visibility: hidden; }
figure[data-show=turns] .frame { background: var(--paper); }
figure[data-show=turns] .frame + .frame { animation: turns 2s steps(1, end) infinite; }
@keyframes turns { 0% { visibility: hidden; } 50% { visibility: visible; } }
.choices { display: flex; flex-wrap: wrap; gap: .3rem; margin: .3rem 0; }
.choices[hidden] { display: none; }
button { font: inherit; font-size: .85rem; color: var(--ink); background: var(--wash); border: 1px solid var(--axis); border-radius: .3rem; padding: .2rem .6rem; cursor: pointer; }
button[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 -2px 0 var(--accent); font-weight: 600; }
button:disabled { cursor: default; opacity: .6; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .4rem 0; padding: 0; list-style: none; max-width: none; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; margin-right: .35rem; vertical-align: -.08rem; border: 1px solid var(--axis); }
.scale { display: grid; grid-template-columns: auto 10rem auto; align-items: center; gap: .5rem; justify-content: start; font-size: .85rem; color: var(--soft); margin: .4rem 0; }
.scale i { height: .8rem; border: 1px solid var(--axis); background: linear-gradient(to right, ${DIVERGING_STOPS}); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.strip { vertical-align: middle; margin-left: .5rem; }
.strip line { stroke: var(--axis); }
.strip .axis { stroke: var(--line); }
.strip circle { fill: var(--accent); stroke: var(--paper); }
.strip .limit { stroke: var(--bad); stroke-dasharray: 2 1.5; }
td .beyond-warn { color: var(--warn); }
td .beyond-exclude { color: var(--bad); }
.metric { white-space: nowrap; }
pre { margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .78rem; }
td details { margin: 0; }
td.sentence { min-width: 16rem; }
#viewer .screen { height: min(70vh, 34rem); background: #000; border-radius: .25rem; overflow: hidden; }
#viewer canvas { display: block; width: 100%; height: 100%; }
#viewer .stage[hidden] { display: none; }
fieldset { border: 1px solid var(--line); border-radius: .3rem; margin: .5rem 0; padding: .3rem .8rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
@media print {
  #viewer, .choices { display: none; }
  figure[data-show] .frames { grid-template-columns: 1fr 1fr !important; }
  figure[data-show] .frame { grid-area: auto !important; visibility: visible !important; animation: none !important; }
  .pair { grid-template-columns: 1fr 1fr; }
}
@media (prefers-reduced-motion: reduce) { figure[data-show=turns] .frame + .frame { animation: none; } }
`;
