/**
 * The page's script. Nothing depends on it: it adds a menu to every table that copies it for a spreadsheet, Word or LaTeX,
 * lets the arrow keys walk through the points of a figure, and opens what is folded before printing.
 */
export const SCRIPT = String.raw`
'use strict';
(() => {
const make = (tag, props, ...children) => {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
};
const status = make('p', { className: 'live', role: 'status' });
document.body.append(status);
const say = (text) => { status.textContent = ''; requestAnimationFrame(() => { status.textContent = text; }); };

/* A table as rows of cells, each with its text, weight and width. */
const textOf = (cell) => {
  const copy = cell.cloneNode(true);
  for (const br of copy.querySelectorAll('br')) br.replaceWith(' ');
  return copy.textContent.replace(/\s+/g, ' ').trim();
};
const cellsOf = (row) => [...row.cells].map((cell) => ({
  text: textOf(cell), span: cell.colSpan, bold: cell.querySelector('b') !== null,
  head: cell.tagName === 'TH', left: cell.matches('.words, .sentence, [colspan]'),
}));
const read = (table) => ({
  caption: textOf(table.caption),
  head: [...table.tHead.rows].map(cellsOf),
  body: [...table.tBodies].flatMap((part) => [...part.rows].map(cellsOf)),
  note: table.tFoot ? textOf(table.tFoot) : '',
});
const escapeHtml = (text) => text.replace(/[&<>"]/g, (c) => '&#' + c.charCodeAt(0) + ';');

const asTsv = ({ head, body }) => [...head, ...body]
  .map((row) => row.flatMap(({ text, span }) => [text.replaceAll('\u2212', '-'), ...Array(span - 1).fill('')]).join('\t'))
  .join('\n') + '\n';

const asWord = ({ caption, head, body, note }) => {
  const line = 'border-bottom:1pt solid #000;';
  const rows = (list, closing) => list.map((row, i) => '<tr>' + row.map(({ text, span, bold, left }) =>
    '<td colspan="' + span + '" style="padding:1pt 5pt;text-align:' + (left ? 'left' : 'right') + ';' +
    (closing && i === list.length - 1 ? line : '') + '">' +
    (bold || !closing || span > 1 ? '<b>' + escapeHtml(text) + '</b>' : escapeHtml(text)) + '</td>').join('') + '</tr>').join('');
  const headRows = rows(head, false).replaceAll('style="', 'style="border-top:1pt solid #000;' + line);
  return '<html><body style="font:10pt \'Times New Roman\',serif"><p><b>' + escapeHtml(caption) + '</b></p>' +
    '<table style="border-collapse:collapse;font:10pt \'Times New Roman\',serif"><thead>' + headRows + '</thead><tbody>' +
    rows(body, true) + '</tbody></table>' + (note ? '<p><i>Note.</i> ' + escapeHtml(note) + '</p>' : '') + '</body></html>';
};

const LATEX = {
  '\\': '\\textbackslash{}', '{': '\\{', '}': '\\}', '$': '\\$', '&': '\\&', '%': '\\%', '#': '\\#', '_': '\\_',
  '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '<': '$<$', '>': '$>$', '\u2212': '$-$', '\u00d7': '$\\times$',
  '\u00b1': '$\\pm$', '\u03b2': '$\\beta$', '\u0394': '$\\Delta$', '\u03c7': '$\\chi$', '\u00b2': '$^2$', '\u00b3': '$^3$',
  '\u207b': '$^-$', '\u2264': '$\\le$', '\u2265': '$\\ge$', '\u2013': '--', '\u2019': "'", '\u00b7': '$\\cdot$', '\u2081': '$_1$', '\u2080': '$_0$',
};
const latex = (text) => text.replaceAll('\u207b\u00b3', '\u0001')
  .replace(/[\\{}$&%#_~^<>\u2212\u00d7\u00b1\u03b2\u0394\u03c7\u00b2\u00b3\u207b\u2264\u2265\u2013\u2019\u00b7\u2080\u2081]/g, (c) => LATEX[c])
  .replaceAll('\u0001', '$^{-3}$');
const asLatex = ({ caption, head, body, note }) => {
  const width = Math.max(...[...head, ...body].map((row) => row.reduce((n, { span }) => n + span, 0)));
  const columns = head[head.length - 1].map(({ left }) => (left ? 'l' : 'r')).join('');
  const cell = ({ text, span, bold, head }) => {
    const inner = bold ? '\\textbf{' + latex(text) + '}' : latex(text);
    return span > 1 ? '\\multicolumn{' + span + '}{l}{\\textit{' + inner + '}}' : inner;
  };
  const rows = (list) => list.map((row) => row.map(cell).join(' & ') + ' \\\\').join('\n');
  return ['% needs \\usepackage{booktabs}', '\\begin{table}', '\\caption{' + latex(caption) + '}', '\\begin{tabular}{' + columns.padEnd(width, 'r') + '}',
    '\\toprule', rows(head), '\\midrule', rows(body), '\\bottomrule', '\\end{tabular}',
    ...(note ? ['', '\\footnotesize ' + latex(note)] : []), '\\end{table}', ''].join('\n');
};

/* The clipboard's own interface where the page may use it; from plain http the older way. */
const put = async (types) => {
  try {
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(
      Object.entries(types).map(([type, text]) => [type, new Blob([text], { type })])))]);
  } catch {
    const fill = (event) => {
      for (const [type, text] of Object.entries(types)) event.clipboardData.setData(type, text);
      event.preventDefault();
    };
    document.addEventListener('copy', fill, { once: true });
    if (!document.execCommand('copy')) { document.removeEventListener('copy', fill); throw new Error('refused'); }
  }
};
const FORMS = {
  'TSV': (table) => ({ 'text/plain': asTsv(table) }),
  'Word': (table) => ({ 'text/html': asWord(table), 'text/plain': asTsv(table) }),
  'LaTeX': (table) => ({ 'text/plain': asLatex(table) }),
};
for (const box of document.querySelectorAll('.scroll')) {
  const table = box.querySelector('table');
  const name = textOf(table.caption);
  const menu = make('details', { className: 'copy' }, make('summary', { ariaLabel: 'Copy table: ' + name }, 'Copy'));
  for (const [form, types] of Object.entries(FORMS)) {
    const button = make('button', { type: 'button' }, form);
    button.addEventListener('click', () => put(types(read(table))).then(
      () => { say('Copied as ' + form + ': ' + name); menu.open = false; menu.firstChild.focus(); },
      () => say('The browser does not allow copying. Select the table and copy it by hand.')));
    menu.append(button);
  }
  menu.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { menu.open = false; menu.firstChild.focus(); }
  });
  const frame = make('div', { className: 'framed' });
  box.replaceWith(frame);
  frame.append(menu, box);
}

/* Figures: one stop of the tab key each; arrows go from point to point by value, Enter opens the subject's page. */
for (const figure of document.querySelectorAll('figure.points')) {
  const points = [...figure.querySelectorAll('path > title')].map((title) => ({ path: title.parentNode, about: title.textContent }));
  if (points.length === 0) continue;
  const plot = figure.querySelector('.plot');
  Object.assign(plot, { tabIndex: 0, role: 'group', ariaLabel: figure.getAttribute('aria-label') + ': ' + points.length + ' subjects; arrow keys go from one to the next, Enter opens its page' });
  const tip = make('span', { className: 'tip', hidden: true });
  plot.append(tip);
  let at = -1;
  const along = [...points].sort((a, b) => a.path.getBoundingClientRect().x - b.path.getBoundingClientRect().x);
  const show = (point, aloud) => {
    for (const other of figure.querySelectorAll('.chosen')) other.classList.remove('chosen');
    tip.hidden = point === undefined;
    if (point === undefined) return;
    point.path.classList.add('chosen');
    tip.textContent = point.about;
    const [dot, frame] = [point.path.getBoundingClientRect(), plot.getBoundingClientRect()];
    tip.style.left = Math.min(Math.max(0, dot.x - frame.x - 20), Math.max(0, frame.width - tip.offsetWidth)) + 'px';
    tip.style.top = dot.y - frame.y - tip.offsetHeight - 6 + 'px';
    if (aloud) say(point.about);
  };
  plot.addEventListener('pointerover', (event) => show(points.find(({ path }) => path === event.target)));
  plot.addEventListener('pointerleave', () => show(undefined));
  plot.addEventListener('blur', () => { at = -1; show(undefined); });
  plot.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step !== undefined) {
      at = at < 0 ? (step > 0 ? 0 : along.length - 1) : (at + step + along.length) % along.length;
      show(along[at], true);
    } else if (event.key === 'Home' || event.key === 'End') {
      at = event.key === 'Home' ? 0 : along.length - 1;
      show(along[at], true);
    } else if (event.key === 'Enter' && at >= 0) {
      along[at].path.closest('a')?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
      return;
    } else if (event.key === 'Escape') { at = -1; show(undefined); return; } else return;
    event.preventDefault();
  });
}

/* Paper shows everything; afterwards what was folded is folded again. */
let folded = [];
addEventListener('beforeprint', () => {
  folded = [...document.querySelectorAll('details:not([open]):not(.copy)')];
  for (const part of folded) part.open = true;
});
addEventListener('afterprint', () => { for (const part of folded) part.open = false; });
/* A link into something folded opens it. */
const unfold = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target && target.closest('details'); part; part = part.parentElement.closest('details')) part.open = true;
};
addEventListener('hashchange', unfold);
unfold();
})();
`;
