// What mh remembers of destinations that weigh nothing: the weight before.
import { keptOf, type Listed } from './edits.ts';

/** Source: __ip_vs_update_dest. An edit to 0 leaves it, an addition sets it, also to 0. */
export function lastWeights(
  before: readonly (Listed & { readonly lastWeight: number })[],
  after: readonly Listed[],
): readonly number[] {
  const kept = keptOf(before, after);
  const known = new Map(before.map(({ key, lastWeight }) => [key, lastWeight]));
  return after.map(({ key, weight }) => (weight === 0 && kept.has(key) ? (known.get(key) ?? 0) : weight));
}
