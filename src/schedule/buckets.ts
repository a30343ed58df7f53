// The tables of sh and dh: which of a service's destinations, by position in its list, owns each bucket.
import type { Scheduler } from '../model/service.ts';

/**
 * Positions in list order; empty without destinations. Source: ip_vs_sh_reassign and ip_vs_dh_reassign. A destination of
 * weight 0 keeps its buckets (sh gives it one turn): whoever hashes there is refused.
 */
export function bucketsOf(scheduler: Scheduler, weights: readonly number[], size: number): readonly number[] {
  if (scheduler === 'sh')
    return fill(
      weights.map((weight) => Math.max(weight, 1)),
      size,
    );
  if (scheduler === 'dh')
    return fill(
      weights.map(() => 1),
      size,
    );
  return [];
}

function fill(turns: readonly number[], size: number): readonly number[] {
  const buckets: number[] = [];
  while (turns.length > 0 && buckets.length < size) {
    turns.forEach((turn, position) => {
      for (let taken = 0; taken < turn && buckets.length < size; taken++) buckets.push(position);
    });
  }
  return buckets;
}
