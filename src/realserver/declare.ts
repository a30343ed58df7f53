// Makes of this network namespace what a file says: its VIPs are added, and those that it named before and no more are removed.
import { add, examine, remove, type Undoing } from './agent.ts';
import type { Change } from './change.ts';
import { type RecordedVip, readJournal } from './journal.ts';
import type { Wanted } from './plan.ts';

export type Done =
  | { readonly vip: string; readonly made: readonly Change[] }
  | { readonly vip: string; readonly undone: readonly Undoing[] };

/** Refuses before it changes anything, as far as one can tell. What was added by hand stays. */
export function* declare(all: readonly Wanted[]): Generator<string, readonly Done[]> {
  for (const wanted of all) examine(wanted);
  const done: Done[] = [];
  for (const known of readJournal().vips) {
    if (!isStale(known, all)) continue;
    done.push({ vip: known.vip, undone: yield* remove(known.vip) });
  }
  for (const wanted of all) done.push({ vip: wanted.vip, made: yield* add(wanted, true) });
  return done;
}

function isStale({ vip, method, arp, isDeclared }: RecordedVip, all: readonly Wanted[]): boolean {
  const wanted = all.find((one) => one.vip === vip);
  if (wanted === undefined) return isDeclared;
  return wanted.method !== method || wanted.arp !== arp;
}
