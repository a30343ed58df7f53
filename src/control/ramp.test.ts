// Slow start: what the weights are while one comes back.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAddress } from '../model/address.ts';
import { schedulers } from '../model/service.ts';
import { type Ramping, rampedDestinations } from './ramp.ts';

const weightsOf = (scheduler: (typeof schedulers)[number], all: readonly Ramping[]): number[] =>
  rampedDestinations(scheduler, all).map(({ weight }) => weight);

test('a weight of 1 has steps too', () => {
  expect(weightsOf('wlc', [one(1), one(1, 0.25), one(3)])).toEqual([100, 25, 300]);
});

test('whoever is quiesced stays so, and whoever begins gets something', () => {
  expect(weightsOf('wrr', [one(0), one(0, 0.5), one(2, 0)])).toEqual([0, 0, 1]);
});

test('lc gives it its share of what the others have', () => {
  const all = [one(1, undefined, 30), one(1, undefined, 50), one(1, 0.1, 0)];
  expect(rampedDestinations('lc', all).map(({ upperThreshold }) => upperThreshold)).toEqual([undefined, undefined, 4]);
});

test('without one that comes back all is as declared; with one that has come back nearly so', () => {
  const weight = fc.integer({ min: 0, max: 2147483647 });
  fc.assert(
    fc.property(fc.constantFrom(...schedulers), fc.array(weight, { maxLength: 8 }), (scheduler, weights) => {
      expect(
        weightsOf(
          scheduler,
          weights.map((each) => one(each)),
        ),
      ).toEqual(weights);
    }),
  );
});

test('weights are those that the kernel takes, in the same order, and grow with the share', () => {
  const rampings = fc.array(
    fc.record({
      weight: fc.integer({ min: 0, max: 2147483647 }),
      share: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...schedulers), rampings, (scheduler, all) => {
      const now = weightsOf(
        scheduler,
        all.map(({ weight, share }) => one(weight, share)),
      );
      const later = weightsOf(
        scheduler,
        all.map(({ weight, share }) => one(weight, share === undefined ? undefined : Math.min(1, share + 0.1))),
      );
      for (const [index, weight] of now.entries()) {
        expect(Number.isInteger(weight) && weight >= 0 && weight <= 2147483647).toBe(true);
        expect(weight === 0).toBe(all[index]?.weight === 0);
        expect(later[index]).toBeGreaterThanOrEqual(weight);
      }
    }),
  );
});

function one(weight: number, share?: number, activeConnections = 0): Ramping {
  const destination = { rip: parseAddress('10.0.0.1'), port: 80, method: 'masq', weight } as const;
  return { destination, share, activeConnections };
}
