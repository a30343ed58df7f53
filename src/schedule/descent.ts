// wrr's two constants: where a descent of the current weight starts, and the step it takes.
export interface Descent {
  /** ip_vs_wrr.c calls it mw: the largest weight less (step - 1). 0: no destination takes anything. */
  readonly maxWeight: number;
  /** di: the greatest common divisor of the positive weights, 1 if there is none. */
  readonly weightStep: number;
}

export function descentOf(weights: readonly number[]): Descent {
  const weightStep = weights.filter((weight) => weight > 0).reduce(greatestCommonDivisor, 0) || 1;
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return { maxWeight: largest - (weightStep - 1), weightStep };
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
