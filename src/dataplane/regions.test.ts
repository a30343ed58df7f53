// No run of entries is ever given out twice, and all room is found.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Region, regionAllocator } from './regions.ts';

const lengths = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 30 });

describe('an allocator of regions', () => {
  it('never lets two regions overlap, nor leave the table', () => {
    fc.assert(
      fc.property(lengths, lengths, fc.array(fc.boolean()), (first, second, keep) => {
        const before = regionAllocator('entries', 1200, []);
        const kept = first.map((length) => before(length)).filter((_, index) => keep[index]);
        const allocate = regionAllocator('entries', 1200, kept);
        const all = [...kept, ...second.map((length) => allocate(length))];
        const owner = new Map<number, Region>();
        for (const region of all) {
          for (let at = region.start; at < region.start + region.length; at++) {
            expect(owner.has(at)).toBe(false);
            expect(at).toBeLessThan(1200);
            owner.set(at, region);
          }
        }
      }),
    );
  });
  it('finds the last free entry', () => {
    const allocate = regionAllocator('entries', 10, [
      { start: 0, length: 4 },
      { start: 5, length: 5 },
    ]);
    expect(allocate(1)).toEqual({ start: 4, length: 1 });
    expect(() => allocate(1)).toThrow('no room for 1 more entries: the table has 10');
  });
  it('needs no room for nothing', () => {
    expect(regionAllocator('entries', 0, [])(0)).toEqual({ start: 0, length: 0 });
  });
});
