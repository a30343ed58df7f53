// Which slot of the destinations map a destination gets: its own from before it was deleted, a free one, or the oldest in the trash.
import { FairleadError } from '../model/error.ts';

/** What a slot tells of itself. A slot that was never used has no entry, and neither have those after it. */
export interface UsedSlot {
  readonly slot: number;
  /** Service and destination it belongs, or belonged, to. */
  readonly owner: string;
  readonly isDeleted: boolean;
  /** Connections refer to it. */
  readonly isBusy: boolean;
  /** Seconds of CLOCK_BOOTTIME. */
  readonly deletedAtS: number;
}

export interface SlotPool {
  /** The slot that this owner had before it was deleted, with its counters and connections. */
  resurrect(owner: string): number | undefined;
  take(): number;
}

/** A deleted destination keeps its slot so long: IP_VS_DEST_TRASH_PERIOD. */
export const trashPeriodS = 120;

export function slotPool(capacity: number, used: readonly UsedSlot[], nowS: number): SlotPool {
  const trash = new Map<string, UsedSlot>();
  const free: number[] = [];
  for (const known of used) {
    if (!known.isDeleted) continue;
    if (known.isBusy || nowS - known.deletedAtS < trashPeriodS) keepNewest(trash, known);
    else free.push(known.slot);
  }
  let neverUsed = used.length;
  let nextFree = 0;
  let idle: UsedSlot[] | undefined;

  return {
    resurrect(owner) {
      const slot = trash.get(owner)?.slot;
      trash.delete(owner);
      return slot;
    },
    take() {
      const again = free[nextFree++];
      if (again !== undefined) return again;
      if (neverUsed < capacity) return neverUsed++;
      idle ??= [...trash.values()].filter(({ isBusy }) => !isBusy).sort((a, b) => b.deletedAtS - a.deletedAtS);
      const oldest = idle.pop();
      if (oldest === undefined)
        throw new FairleadError('table-full', `no room for more destinations: the table has ${capacity}`);
      trash.delete(oldest.owner);
      return oldest.slot;
    },
  };
}

/** An owner may have left two slots behind, when the first could not be found any more. */
function keepNewest(trash: Map<string, UsedSlot>, candidate: UsedSlot): void {
  const known = trash.get(candidate.owner);
  if (known === undefined || known.deletedAtS <= candidate.deletedAtS) trash.set(candidate.owner, candidate);
}
