/** HTML that cannot forget to escape: a template tag whose interpolations are text unless they are {@link Html}. */

/** Markup that is safe to print as it is. */
export interface Html {
  readonly markup: string;
}

type Content = string | number | Html | null | false | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

/** Template tag. Text and numbers are escaped, lists joined, null and false print nothing. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return { markup: strings.reduce((text, string, i) => text + print(contents[i - 1]) + string) };
}

/** Markup from elsewhere that is known to be safe, such as an SVG made here. */
export function trusted(markup: string): Html {
  return { markup };
}

function print(content: Content): string {
  if (content === null || content === false) return '';
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  if ('markup' in content) return content.markup;
  return content.map(print).join('');
}

/** A column of a table. */
export interface Column<Row> {
  readonly head: string | Html;
  readonly cell: (row: Row) => string | Html;
  /** Words and sentences are set left and may wrap, sentences in wide columns; numbers (the default) right, in one line. */
  readonly kind?: 'words' | 'sentence';
}

export interface TableOptions<Row> {
  /** Stands over a row and those that follow; null: the row belongs to those above it. */
  readonly heading?: (row: Row) => string | Html | null;
  /** Below the table: what abbreviations and signs mean. */
  readonly note?: string | Html;
}

/** A table with a caption; the first column names the row. Wide tables scroll sideways inside their own box. */
export function table<Row>(
  caption: string | Html,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { heading, note }: TableOptions<Row> = {},
): Html {
  const body = rows.map((row) => {
    const over = heading?.(row) ?? null;
    const cells = columns.map((c, i) =>
      i === 0
        ? html`<th scope="row" class="${c.kind ?? 'number'}">${c.cell(row)}</th>`
        : html`<td class="${c.kind ?? 'number'}">${c.cell(row)}</td>`,
    );
    return html`${
      over !== null &&
      html`</tbody>\n<tbody><tr class="heading"><th scope="rowgroup" colspan="${columns.length}">${over}</th></tr>\n`
    }<tr>${cells}</tr>\n`;
  });
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${plainText(caption)}"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map((c) => html`<th scope="col" class="${c.kind ?? 'number'}">${c.head}</th>`)}</tr></thead>
<tbody>
${body}</tbody>
${note !== undefined && html`<tfoot><tr><td colspan="${columns.length}">${note}</td></tr></tfoot>`}</table></div>`;
}

/** Markup without its tags, for an attribute: it is escaped already. */
function plainText(content: string | Html): string | Html {
  return typeof content === 'string' ? content : trusted(content.markup.replace(/<[^>]*>/g, ''));
}
