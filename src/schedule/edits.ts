// What happened to a service's list of destinations, as the single edits that IPVS would have seen.
import type { Method } from '../model/service.ts';

/** A destination as its place in the list is concerned; `key` is its identity within the service. */
export interface Listed {
  readonly key: string;
  readonly weight: number;
  readonly method: Method;
}

/** `at` counts in the list as it is when the edit's turn comes. An addition goes to the head. */
export type ListEdit =
  | { readonly kind: 'delete'; readonly at: number }
  | { readonly kind: 'edit'; readonly at: number; readonly weight: number }
  | { readonly kind: 'add'; readonly weight: number };

/** Deletions first, then edits, then additions, oldest first. A destination that changed its place was deleted and added. */
export function listEdits(before: readonly Listed[], after: readonly Listed[]): readonly ListEdit[] {
  const kept = keptOf(before, after);
  const edits: ListEdit[] = [];
  let at = 0;
  for (const destination of before) {
    if (kept.has(destination.key)) at++;
    else edits.push({ kind: 'delete', at });
  }
  const old = new Map(before.map((destination) => [destination.key, destination]));
  const additions = after.length - kept.size;
  after.slice(additions).forEach((destination, position) => {
    const was = old.get(destination.key);
    if (was?.weight !== destination.weight || was.method !== destination.method) {
      edits.push({ kind: 'edit', at: position, weight: destination.weight });
    }
  });
  for (const destination of after.slice(0, additions).reverse())
    edits.push({ kind: 'add', weight: destination.weight });
  return edits;
}

/** The destinations of `before` that are the tail of `after`, in the same order: all others were added at the head. */
export function keptOf(before: readonly Listed[], after: readonly Listed[]): ReadonlySet<string> {
  const kept = new Set<string>();
  let candidate = before.length - 1;
  for (const destination of after.toReversed()) {
    while (candidate >= 0 && before[candidate]?.key !== destination.key) candidate--;
    if (candidate < 0) break;
    kept.add(destination.key);
    candidate--;
  }
  return kept;
}
