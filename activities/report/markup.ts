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

/** A table with a caption; the first column names the row. Wide tables scroll sideways inside their own box. */
export function table<Row>(
  caption: string | Html,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): Html {
  // Markup is escaped already: without its tags it is fit for an attribute.
  const label = typeof caption === 'string' ? caption : trusted(caption.markup.replace(/<[^>]*>/g, ''));
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map((c) => html`<th scope="col" class="${c.kind ?? 'number'}">${c.head}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (row) =>
    html`<tr>${columns.map((c, i) =>
      i === 0
        ? html`<th scope="row" class="${c.kind ?? 'number'}">${c.cell(row)}</th>`
        : html`<td class="${c.kind ?? 'number'}">${c.cell(row)}</td>`,
    )}</tr>\n`,
)}</tbody>
</table></div>`;
}
