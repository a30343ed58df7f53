// Which VIP needs which recorded change: what a new VIP adds to a journal, and what it leaves behind when it goes. Pure.
import { type Change, keyOf } from './change.ts';
import type { Journal, RecordedChange, RecordedVip } from './journal.ts';
import type { Need } from './plan.ts';

/** With the VIP, and with all that it needs and that somebody has to undo. */
export function withVip(journal: Journal, recorded: RecordedVip, needs: readonly Need[]): Journal {
  const { vip } = recorded;
  const keys = new Set(needs.map(({ key }) => key));
  const fresh = new Map(needs.flatMap(({ key, change }) => (change === undefined ? [] : [[key, change] as const])));
  const kept = journal.changes.map((known): RecordedChange => {
    const key = keyOf(known);
    if (!keys.has(key)) return known;
    // Changed again since by somebody else: what is restored one day is what they left.
    const change: Change = fresh.get(key) ?? known;
    fresh.delete(key);
    return { ...change, vips: [...new Set([...known.vips, vip])] };
  });
  const added = [...fresh.values()].map((change): RecordedChange => ({ ...change, vips: [vip] }));
  const isKnown = journal.vips.some((one) => one.vip === vip);
  const vips = isKnown ? journal.vips.map((one) => (one.vip === vip ? recorded : one)) : [...journal.vips, recorded];
  return { ...journal, vips, changes: outerFirst([...kept, ...added]) };
}

/** A table and its chains may have been made anew since the rules in them were recorded, and are undone after those. */
function outerFirst(changes: readonly RecordedChange[]): readonly RecordedChange[] {
  const depths: readonly string[] = ['arp-table', 'arp-chain'];
  const depth = ({ kind }: Change): number => (depths.includes(kind) ? depths.indexOf(kind) : depths.length);
  return changes.toSorted((one, other) => depth(one) - depth(other));
}

/** `doomed`: what only this VIP needed, last change first. */
export function withoutVip(journal: Journal, vip: string): { doomed: readonly Change[]; rest: Journal } {
  const doomed = journal.changes.filter(({ vips }) => vips.every((one) => one === vip));
  const changes = journal.changes
    .filter((change) => !doomed.includes(change))
    .map((change) => ({ ...change, vips: change.vips.filter((one) => one !== vip) }));
  const vips = journal.vips.filter((one) => one.vip !== vip);
  return { doomed: doomed.map(withoutOwners).reverse(), rest: { ...journal, vips, changes } };
}

function withoutOwners({ vips: _, ...change }: RecordedChange): Change {
  return change;
}
