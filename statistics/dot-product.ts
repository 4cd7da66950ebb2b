/** A dot product in twice the working precision, for residuals that are small differences of large terms. */

/** 2^27 + 1: splits a double into two halves whose products are exact (Dekker 1971). */
const SPLITTER = 134217729;

/** a[0] b[0] + a[1] b[1] + ..., as if computed in 106 bits and rounded once: Dot2 of Ogita, Rump & Oishi 2005. */
export function dotProduct(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  let rest = 0;
  for (let i = 0; i < a.length; i++) {
    const product = a[i] * b[i];
    const [aHigh, bHigh] = [upperHalf(a[i]), upperHalf(b[i])];
    const [aLow, bLow] = [a[i] - aHigh, b[i] - bHigh];
    const lostInProduct = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
    const next = sum + product;
    const part = next - sum;
    const lostInSum = sum - (next - part) + (product - part);
    sum = next;
    rest += lostInProduct + lostInSum;
  }
  return sum + rest;
}

function upperHalf(value: number): number {
  const shifted = SPLITTER * value;
  return shifted - (shifted - value);
}
