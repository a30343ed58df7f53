// Destinations come back to their slots, and slots are not given away while anything refers to them.
import { describe, expect, it } from 'vitest';
import { isKept, type SlotPool, type Slots, slotPool, trashPeriodS } from './slots.ts';

const nowS = 1000;
const inUse = { isDeleted: false, isBusy: false, deletedAtS: 0 };
const deleted = { isDeleted: true, isBusy: false, deletedAtS: nowS - 10 };
const expired = { isDeleted: true, isBusy: false, deletedAtS: nowS - trashPeriodS };

function slotsOf(
  capacity: number,
  states: readonly (typeof inUse)[],
  owner = (slot: number) => `owner ${slot}`,
): Slots {
  const of = (slot: number): typeof inUse => states[slot] ?? inUse;
  return {
    capacity,
    everUsed: states.length,
    isDeleted: (slot) => of(slot).isDeleted,
    isBusy: (slot) => of(slot).isBusy,
    deletedAtS: (slot) => of(slot).deletedAtS,
    owner,
  };
}

function pool(...args: Parameters<typeof slotsOf>): SlotPool {
  return slotPool(slotsOf(...args), nowS);
}

describe('a pool of slots', () => {
  it('gives a deleted destination its own slot again, once', () => {
    const slots = pool(4, [inUse, deleted]);
    expect(slots.resurrect(() => 'owner 1')).toBe(1);
    expect(slots.resurrect(() => 'owner 1')).toBeUndefined();
  });
  it('forgets a destination after the trash period', () => {
    expect(pool(4, [expired]).resurrect(() => 'owner 0')).toBeUndefined();
  });
  it('keeps it longer while connections refer to it', () => {
    expect(pool(4, [{ ...expired, isBusy: true }]).resurrect(() => 'owner 0')).toBe(0);
  });
  it.each([
    ['in use', inUse, false],
    ['deleted a moment ago', deleted, true],
    ['deleted long ago', expired, false],
    ['deleted long ago with connections that refer to it', { ...expired, isBusy: true }, true],
  ])('keeps for a return what is %s: %j %j', (_, state, expected) => {
    expect(isKept(slotsOf(1, [state]), 0, nowS)).toBe(expected);
  });
  it('never resurrects what is in use', () => {
    expect(pool(4, [inUse]).resurrect(() => 'owner 0')).toBeUndefined();
  });
  it('takes what the trash gave free, then what was never used, then the oldest idle in the trash', () => {
    const older = { ...deleted, deletedAtS: nowS - 20 };
    const slots = pool(6, [inUse, deleted, expired, older, { ...older, isBusy: true }]);
    expect([slots.take(), slots.take(), slots.take(), slots.take()]).toEqual([2, 5, 3, 1]);
    expect(() => slots.take()).toThrow('no room for more destinations: the table has 6');
  });
  it('does not take what was resurrected', () => {
    const slots = pool(1, [deleted]);
    expect(slots.resurrect(() => 'owner 0')).toBe(0);
    expect(() => slots.take()).toThrow('no room');
  });
  it('resurrects the one deleted last when an owner left two', () => {
    const two = [deleted, { ...deleted, deletedAtS: nowS - 5 }];
    expect(pool(2, two, () => 'same').resurrect(() => 'same')).toBe(1);
  });
});
