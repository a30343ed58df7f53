// What holds of buckets, descents and cursors for any list of destinations.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedulers } from '../model/service.ts';
import { bucketsOf } from './buckets.ts';
import { freshCursor, movedCursor } from './cursor.ts';
import { descentOf } from './descent.ts';
import { type Listed, listEdits } from './edits.ts';

const weights = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 40 });
const list = fc.uniqueArray(
  fc.record({
    key: fc.integer({ min: 0, max: 12 }).map(String),
    weight: fc.integer({ min: 0, max: 9 }),
    method: fc.constant('masq' as const),
  }),
  { selector: ({ key }) => key, maxLength: 10 },
);

describe('buckets', () => {
  it('gives sh each destination as many in a row as it weighs, at least one', () => {
    expect(bucketsOf('sh', [2, 0, 1], 8)).toEqual([0, 0, 1, 2, 0, 0, 1, 2]);
  });
  it('gives dh one each', () => {
    expect(bucketsOf('dh', [2, 0, 1], 8)).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
  });
  it('is always full, or empty when there are no destinations', () => {
    fc.assert(
      fc.property(weights, fc.constantFrom('sh', 'dh'), (some, scheduler) => {
        expect(bucketsOf(scheduler, some, 256)).toHaveLength(some.length === 0 ? 0 : 256);
      }),
    );
  });
  it('fills no more than asked for by the largest weight', () => {
    expect(bucketsOf('sh', [2 ** 31 - 1, 1], 256)).toEqual(Array(256).fill(0));
  });
});

describe('descent', () => {
  it.each([
    [[1, 2, 3, 4], { maxWeight: 4, weightStep: 1 }],
    [[2, 4, 6, 8], { maxWeight: 7, weightStep: 2 }],
    [[5, 0], { maxWeight: 1, weightStep: 5 }],
    [[0, 0], { maxWeight: 0, weightStep: 1 }],
    [[], { maxWeight: 0, weightStep: 1 }],
  ])('of %j', (some, descent) => expect(descentOf(some)).toEqual(descent));
  it('meets every weight', () => {
    fc.assert(
      fc.property(weights, (some) => {
        const { maxWeight, weightStep } = descentOf(some);
        for (const weight of some.filter((value) => value > 0)) {
          const lastRound = maxWeight - Math.floor((maxWeight - 1) / weightStep) * weightStep;
          expect(weight).toBeGreaterThanOrEqual(lastRound);
        }
      }),
    );
  });
});

describe('edits of a list', () => {
  it('lead from the one to the other', () => {
    fc.assert(
      fc.property(list, list, (before, after) => {
        expect(replay(before, after)).toEqual(after.map(({ weight }) => weight));
      }),
    );
  });
  it('are none when nothing changed', () => {
    fc.assert(
      fc.property(list, (same) => {
        expect(listEdits(same, same)).toEqual([]);
      }),
    );
  });
});

describe('a cursor', () => {
  it('stays for schedulers that have none, and for an unchanged list', () => {
    fc.assert(
      fc.property(list, fc.constantFrom(...schedulers), fc.nat(9), (same, scheduler, position) => {
        const moved = movedCursor(scheduler, BigInt(Math.min(position, same.length)), same, same);
        expect(moved).toBe(scheduler === 'rr' || scheduler === 'wrr' ? BigInt(Math.min(position, same.length)) : 0n);
      }),
    );
  });
  it.each(['rr', 'wrr'] as const)('of %s is the same whether additions come at once or one by one', (scheduler) => {
    fc.assert(
      fc.property(list, (all) => {
        let cursor = 0n;
        for (let count = 0; count < all.length; count++) {
          cursor = movedCursor(scheduler, cursor, all.slice(all.length - count), all.slice(all.length - count - 1));
        }
        expect(movedCursor(scheduler, 0n, [], all)).toBe(cursor);
      }),
    );
  });
  it('of rr keeps whoever is next, unless that one goes or another is added before it', () => {
    fc.assert(
      fc.property(list, fc.nat(9), fc.nat(9), (before, chosen, gone) => {
        fc.pre(before.length > 1);
        const position = (chosen % before.length) + 1;
        const next = before[position % before.length];
        const after = before.filter((_, index) => index !== gone % before.length);
        fc.pre(next !== undefined && after.includes(next));
        const moved = Number(movedCursor('rr', BigInt(position), before, after));
        expect(after[moved % after.length]).toBe(next);
      }),
    );
  });
  it('of wrr starts a descent anew when the scheduler is chosen', () => {
    expect(freshCursor('wrr', [2, 6])).toBe(5n << 32n);
    expect(freshCursor('rr', [2, 6])).toBe(0n);
  });
});

function replay(before: readonly Listed[], after: readonly Listed[]): readonly number[] {
  const current = before.map(({ weight }) => weight);
  for (const edit of listEdits(before, after)) {
    if (edit.kind === 'delete') current.splice(edit.at, 1);
    else if (edit.kind === 'edit') current[edit.at] = edit.weight;
    else current.unshift(edit.weight);
  }
  return current;
}
