/** Numbers as journals print them. */

const MINUS = '\u2212';

/** With a fixed number of decimals and a true minus sign; zero has no sign. */
export function fixed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `${MINUS}${text}` : text;
}

/** A figure that cannot exceed 1 (p, r): without the leading zero. Also for beta, which may: 1.204. */
export function bare(value: number, decimals = 3): string {
  return fixed(value, decimals).replace(/^(\u2212?)0\./, '$1.');
}

/** `.035`, `< .001`, `> .999`. */
export function pValue(p: number): string {
  if (p < 0.001) return '< .001';
  return p > 0.9995 ? '> .999' : bare(p);
}

/** `p = .035`, `p < .001`. */
export function pEquals(p: number): string {
  const text = pValue(p);
  return text.startsWith('.') || text.startsWith('1') ? `p = ${text}` : `p ${text}`;
}

/** `t(96) = -3.01`; Welch's degrees of freedom keep one decimal. */
export function tEquals(t: number, df: number, decimals = 2): string {
  return `t(${Number.isInteger(df) ? df : fixed(df, 1)}) = ${fixed(t, decimals)}`;
}

/** MD, given in mm2/s, in 1e-3 mm2/s. */
export function md(value: number): string {
  return fixed(value * 1e3, 3);
}

/** A change in MD, given in mm2/s, in 1e-3 mm2/s: one decimal more, since changes are a hundredth of MD. */
export function change(value: number): string {
  return fixed(value * 1e3, 4);
}

/** 0.634 as `63 %`. Rounded down, so that 100 % is complete. */
export function percent(share: number): string {
  return `${Math.floor(share * 100 + 1e-9)} %`;
}

/** `1 subject`, `2 subjects`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** A covariate as readers call it. */
export function covariate(name: string): string {
  return name === 'baselineMd' ? 'baseline MD' : name.replaceAll('_', ' ');
}

/** `MADRS, QIDS and SHAPS`. */
export function list(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`;
}

/** `.386 [.028, .744]`. */
export function interval(
  value: number,
  [low, high]: readonly [number, number],
  print: (v: number) => string,
): string {
  return `${print(value)} [${print(low)}, ${print(high)}]`;
}

/** With four significant digits, in the shortest form: 2.5e5 and 0.01235. */
export function precise(value: number): string {
  return value.toPrecision(4).replace('-', MINUS).replace('e-', `e${MINUS}`).replace('e+', 'e');
}
