/** Fisher's exact test of a table of any shape. */
import { StatisticsError } from './errors.ts';

/** As R's fisher.test: a table less likely than 1 + 1e-7 times the observed one counts as at least as extreme. */
const SLACK = 1e-7;

/** Work beyond which a table is refused, some seconds; 4 x 4 cells of 96 subjects are well within. */
const MOST_STEPS = 2e7;

/** A part of the columns filled in: what is left of each row (sorted), and the ways here by cost with their probability. */
interface Node {
  readonly left: readonly number[];
  readonly past: Map<number, { cost: number; probability: number }>;
}

/**
 * Two-sided p: the probability, given both margins, of all tables no likelier than the observed (Freeman & Halton 1951).
 * By the network algorithm (Mehta & Patel 1983): columns are filled one after another, ways that leave the same rows at
 * the same cost are joined, and a way is given up as soon as all or none of its completions count. A table's cost is the
 * sum of log x! over its cells; the dearer, the rarer.
 * @param table whole counts, no negative, no empty row or column
 * @throws StatisticsError TOO_LARGE where the tables are too many
 */
export function fisherExact(table: readonly (readonly number[])[]): number {
  const byColumn = table[0].map((_, j) => table.map((row) => row[j]));
  const columns = table.length <= byColumn.length ? byColumn : table.map((row) => [...row]);
  const margin = columns.map((column) => column.reduce((a, b) => a + b, 0));
  const rows = columns[0].map((_, i) => columns.reduce((sum, column) => sum + column[i], 0));
  const n = margin.reduce((a, b) => a + b, 0);
  const logFactorial = [0];
  for (let i = 1; i <= n; i++) logFactorial.push(logFactorial[i - 1] + Math.log(i));
  const logChoose = (a: number, b: number) => logFactorial[a] - logFactorial[b] - logFactorial[a - b];
  const extreme = columns.flat().reduce((sum, x) => sum + logFactorial[x], 0) - SLACK;

  let steps = 0;
  function spend(more: number) {
    steps += more;
    if (steps > MOST_STEPS)
      throw new StatisticsError('TOO_LARGE', 'the table is too large for an exact test');
  }
  /** Every way to take `size` out of what is left of the rows: what is left then, its cost and log multiplicity. */
  function forEachColumn(
    left: readonly number[],
    size: number,
    visit: (after: readonly number[], cost: number, logWays: number) => void,
  ) {
    const after = [...left];
    const room = left.map((_, i) => left.slice(i + 1).reduce((a, b) => a + b, 0));
    const fill = (row: number, toPlace: number, cost: number, logWays: number) => {
      if (row === left.length) {
        spend(20); // as long as so many ways take
        return visit(
          [...after].sort((a, b) => a - b),
          cost,
          logWays,
        );
      }
      const most = Math.min(left[row], toPlace);
      for (let x = Math.max(0, toPlace - room[row]); x <= most; x++) {
        after[row] = left[row] - x;
        fill(row + 1, toPlace - x, cost + logFactorial[x], logWays + logChoose(left[row], x));
      }
    };
    fill(0, size, 0, 0);
  }

  /** Cheapest and dearest completion of the columns from `from` on. */
  const known = margin.map(() => new Map<string, readonly [number, number]>());
  function completions(left: readonly number[], key: string, from: number): readonly [number, number] {
    if (from === margin.length) return [0, 0];
    let range = known[from].get(key);
    if (range === undefined) {
      let [low, high] = [Infinity, -Infinity];
      forEachColumn(left, margin[from], (after, here) => {
        const [least, most] = completions(after, after.join(), from + 1);
        low = Math.min(low, here + least);
        high = Math.max(high, here + most);
      });
      range = [low, high];
      known[from].set(key, range);
    }
    return range;
  }

  let p = 0;
  const start = rows.sort((a, b) => a - b);
  let stage = new Map<string, Node>([
    ['', { left: start, past: new Map([[0, { cost: 0, probability: 1 }]]) }],
  ]);
  let toCome = n;
  for (let j = 0; j < margin.length; j++) {
    const next = new Map<string, Node>();
    const allWays = logChoose(toCome, margin[j]);
    toCome -= margin[j];
    for (const { left, past } of stage.values())
      forEachColumn(left, margin[j], (after, here, logWays) => {
        const key = after.join();
        const share = Math.exp(logWays - allWays);
        const [least, most] = completions(after, key, j + 1);
        spend(past.size);
        for (const way of past.values()) {
          const soFar = way.cost + here;
          const probability = way.probability * share;
          if (soFar + least >= extreme) p += probability;
          else if (soFar + most >= extreme) {
            let node = next.get(key);
            if (node === undefined) next.set(key, (node = { left: after, past: new Map() }));
            const rounded = Math.round(soFar * 1e9);
            const same = node.past.get(rounded);
            if (same === undefined) node.past.set(rounded, { cost: soFar, probability });
            else same.probability += probability;
          }
        }
      });
    stage = next;
  }
  return Math.min(1, p);
}
