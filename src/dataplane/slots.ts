// Which slot of the destinations map a destination gets: its own from before it was deleted, a free one, or the oldest in the trash.
import { FairleadError } from '../model/error.ts';

/** What slots tell of themselves. */
export interface Slots {
  readonly capacity: number;
  /** Slots from here on were never used. */
  readonly everUsed: number;
  isDeleted(slot: number): boolean;
  /** Connections refer to it. */
  isBusy(slot: number): boolean;
  /** Seconds of CLOCK_BOOTTIME. */
  deletedAtS(slot: number): number;
  /** Service and destination that it belonged to. */
  owner(slot: number): string;
}

export interface SlotPool {
  /** Whether anything can be resurrected. */
  hasTrash(): boolean;
  /** The slot that this owner had before it was deleted, with its counters and connections. */
  resurrect(owner: () => string): number | undefined;
  take(): number;
}

/** A deleted destination keeps its slot so long: IP_VS_DEST_TRASH_PERIOD. */
export const trashPeriodS = 120;

/** Of a deleted destination: for its connections, or for it to come back. */
export function isKept(slots: Slots, slot: number, nowS: number): boolean {
  return slots.isDeleted(slot) && (nowS - slots.deletedAtS(slot) < trashPeriodS || slots.isBusy(slot));
}

export function slotPool(slots: Slots, nowS: number): SlotPool {
  const { trash, free } = sort(slots, nowS);
  let nextFree = 0;
  let neverUsed = slots.everUsed;
  let idle: [string, number][] | undefined;

  return {
    hasTrash: () => trash.size > 0,
    resurrect(owner) {
      if (trash.size === 0) return undefined;
      const name = owner();
      const slot = trash.get(name);
      trash.delete(name);
      return slot;
    },
    take() {
      const again = free[nextFree++];
      if (again !== undefined) return again;
      if (neverUsed < slots.capacity) return neverUsed++;
      idle ??= [...trash]
        .filter(([, slot]) => !slots.isBusy(slot))
        .sort(([, a], [, b]) => slots.deletedAtS(b) - slots.deletedAtS(a));
      const [owner, oldest] = idle.pop() ?? [];
      if (owner === undefined || oldest === undefined) {
        throw new FairleadError('table-full', `no room for more destinations: the table has ${slots.capacity}`);
      }
      trash.delete(owner);
      return oldest;
    },
  };
}

/** Deleted slots: those that an owner may come back to, and those that are anybody's. */
function sort(slots: Slots, nowS: number): { trash: Map<string, number>; free: readonly number[] } {
  const trash = new Map<string, number>();
  const free: number[] = [];
  for (let slot = 0; slot < slots.everUsed; slot++) {
    if (!slots.isDeleted(slot)) continue;
    if (!isKept(slots, slot, nowS)) {
      free.push(slot);
      continue;
    }
    const owner = slots.owner(slot);
    const known = trash.get(owner);
    if (known === undefined || slots.deletedAtS(known) <= slots.deletedAtS(slot)) trash.set(owner, slot);
  }
  return { trash, free };
}
