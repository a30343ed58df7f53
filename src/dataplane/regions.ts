// Finds room for runs of entries in an array map, from nothing but the runs that the table in force refers to.
import { FairleadError } from '../model/error.ts';

export interface Region {
  readonly start: number;
  readonly length: number;
}

/** Takes `length` entries that nobody refers to. */
export type Allocate = (length: number) => Region;

/** `what` names the entries to a user when there is no room. */
export function regionAllocator(what: string, capacity: number, used: Iterable<Region>): Allocate {
  const gaps = gapsBetween(used, capacity);
  let first = 0;
  return (length) => {
    if (length === 0) return { start: 0, length };
    while (gaps[first]?.length === 0) first++;
    for (let index = first; index < gaps.length; index++) {
      const gap = gaps[index];
      if (gap === undefined || gap.length < length) continue;
      gaps[index] = { start: gap.start + length, length: gap.length - length };
      return { start: gap.start, length };
    }
    throw new FairleadError('table-full', `no room for ${length} more ${what}: the table has ${capacity}`);
  };
}

function gapsBetween(used: Iterable<Region>, capacity: number): Region[] {
  const inOrder = [...used].filter(({ length }) => length > 0).sort((a, b) => a.start - b.start);
  const gaps: Region[] = [];
  let end = 0;
  for (const { start, length } of inOrder) {
    if (start > end) gaps.push({ start: end, length: start - end });
    end = Math.max(end, start + length);
  }
  if (capacity > end) gaps.push({ start: end, length: capacity - end });
  return gaps;
}
