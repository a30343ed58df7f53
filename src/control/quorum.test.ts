// When a service has too few real servers: keepalived's rule, and that it does not flap.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isQuorumLost } from './quorum.ts';

test.each([
  [{ weight: 1, hysteresis: 0 }, 0, false, true],
  [{ weight: 1, hysteresis: 0 }, 1, true, false],
  [{ weight: 5, hysteresis: 2 }, 3, false, false],
  [{ weight: 5, hysteresis: 2 }, 2, false, true],
  [{ weight: 5, hysteresis: 2 }, 6, true, true],
  [{ weight: 5, hysteresis: 2 }, 7, true, false],
])('a quorum of %o with %i up, lost before: %s, is lost: %s', (quorum, weight, was, is) => {
  expect(isQuorumLost(quorum, weight, was)).toBe(is);
});

test('what stays the same never changes it twice', () => {
  const small = fc.integer({ min: 0, max: 20 });
  fc.assert(
    fc.property(small, small, small, fc.boolean(), (weight, hysteresis, up, was) => {
      const once = isQuorumLost({ weight, hysteresis }, up, was);
      expect(isQuorumLost({ weight, hysteresis }, up, once)).toBe(once);
    }),
  );
});

test('less that is up never brings it back, and more never loses it', () => {
  const small = fc.integer({ min: 0, max: 20 });
  fc.assert(
    fc.property(small, small, small, small, fc.boolean(), (weight, hysteresis, up, more, was) => {
      const quorum = { weight, hysteresis };
      if (isQuorumLost(quorum, up + more, was)) expect(isQuorumLost(quorum, up, was)).toBe(true);
    }),
  );
});
