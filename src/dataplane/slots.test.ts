// Destinations come back to their slots, and slots are not given away while anything refers to them.
import { describe, expect, it } from 'vitest';
import { slotPool, trashPeriodS, type UsedSlot } from './slots.ts';

const nowS = 1000;
const inUse = { isDeleted: false, isBusy: false, deletedAtS: 0 };
const deleted = { isDeleted: true, isBusy: false, deletedAtS: nowS - 10 };
const expired = { isDeleted: true, isBusy: false, deletedAtS: nowS - trashPeriodS };

function slots(...states: (typeof inUse)[]): UsedSlot[] {
  return states.map((state, slot) => ({ slot, owner: `owner ${slot}`, ...state }));
}

describe('a pool of slots', () => {
  it('gives a deleted destination its own slot again, once', () => {
    const pool = slotPool(4, slots(inUse, deleted), nowS);
    expect(pool.resurrect('owner 1')).toBe(1);
    expect(pool.resurrect('owner 1')).toBeUndefined();
  });
  it('forgets a destination after the trash period', () => {
    expect(slotPool(4, slots(expired), nowS).resurrect('owner 0')).toBeUndefined();
  });
  it('keeps it longer while connections refer to it', () => {
    expect(slotPool(4, slots({ ...expired, isBusy: true }), nowS).resurrect('owner 0')).toBe(0);
  });
  it('never resurrects what is in use', () => {
    expect(slotPool(4, slots(inUse), nowS).resurrect('owner 0')).toBeUndefined();
  });
  it('takes what the trash gave free, then what was never used, then the oldest idle in the trash', () => {
    const older = { ...deleted, deletedAtS: nowS - 20 };
    const pool = slotPool(6, slots(inUse, deleted, expired, older, { ...older, isBusy: true }), nowS);
    expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([2, 5, 3, 1]);
    expect(() => pool.take()).toThrow('no room for more destinations: the table has 6');
  });
  it('does not take what was resurrected', () => {
    const pool = slotPool(1, slots(deleted), nowS);
    expect(pool.resurrect('owner 0')).toBe(0);
    expect(() => pool.take()).toThrow('no room');
  });
  it('resurrects the one deleted last when an owner left two', () => {
    const two = slots(deleted, { ...deleted, deletedAtS: nowS - 5 }).map((slot) => ({ ...slot, owner: 'same' }));
    expect(slotPool(2, two, nowS).resurrect('same')).toBe(1);
  });
});
