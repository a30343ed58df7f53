// Puts what is desired in the place of what was declared before: one transaction, which leaves alone what does not change.
import type { Everything } from '../model/everything.ts';
import { hold, readHeld, release } from './addresses.ts';
import type { Desired } from './desired.ts';
import { type Difference, type Options, type Planned, planDifference } from './difference.ts';

/** What of a director is needed here. */
export interface Target {
  everything(): Everything;
  changeEverything(edit: (present: Everything) => Everything): void;
}

export type ApplyOptions = Pick<Options, 'keep'>;

/** What applying it would change now. */
export function planDesired(present: Everything, desired: Desired, options: ApplyOptions): Difference {
  return planDifference(present, desired, { ...options, heldAddresses: readHeld() }).difference;
}

/** All or nothing. Returns what has changed. */
export function applyDesired(target: Target, desired: Desired, options: ApplyOptions): Difference {
  let planned: Planned | undefined;
  try {
    target.changeEverything((present) => {
      const found = planDifference(present, desired, { ...options, heldAddresses: readHeld() });
      // Before the services that need them.
      hold(found.addresses.added);
      planned = found;
      return found.wanted;
    });
  } catch (error) {
    release(planned?.difference.addresses.flatMap(({ action, text }) => (action === 'add' ? [text] : [])) ?? []);
    throw error;
  }
  if (planned === undefined) throw new Error('a change that was not asked what it is');
  release(planned.addresses.removed);
  return planned.difference;
}
