// What becomes of a destination by its probes and by operators.
import { expect, test } from 'vitest';
import type { Health } from '../health/hysteresis.ts';
import { type Override, standing } from './standing.ts';

const by = { who: 'ann', why: '', sinceMs: 0 };

test.each<[string, readonly (Partial<Health> | undefined)[], Partial<Override> | undefined, object]>([
  ['without probes it is up', [], undefined, { isUp: true, weight: 10 }],
  ['what is not known yet does not count', [undefined, { state: 'unknown' }], undefined, { isUp: true, weight: 10 }],
  [
    'one probe is enough to take it out',
    [{ state: 'up' }, { state: 'down', reason: 'r' }],
    undefined,
    { isUp: false, reason: 'r' },
  ],
  ['it may give itself a part', [{ state: 'up', weight: { percent: 25 } }], undefined, { weight: 3 }],
  ['but nothing above 0 becomes 0 by rounding', [{ state: 'up', weight: { percent: 1 } }], undefined, { weight: 1 }],
  ['0 per cent is 0', [{ state: 'up', weight: { percent: 0 } }], undefined, { weight: 0 }],
  ['or a weight', [{ state: 'up', weight: { value: 7 } }], undefined, { weight: 7 }],
  ['it may quiesce itself', [{ state: 'up', weight: { isQuiesced: true } }], undefined, { isUp: true, weight: 0 }],
  ['an operator may weigh it', [{ state: 'up', weight: { percent: 25 } }], { weight: 4 }, { weight: 4 }],
  ['or quiesce it', [], { state: 'quiesced' }, { weight: 0, isRemoved: false }],
  ['or drain it', [], { state: 'draining' }, { weight: 0, isRemoved: false }],
  ['until it is gone', [], { state: 'removed' }, { isRemoved: true }],
  ['which does not make it well', [{ state: 'down' }], { weight: 4 }, { isUp: false }],
])('%s', (_, healths, override, expected) => {
  const known = healths.map(
    (one) => one && { reason: '', against: 0, sinceMs: 0, weight: {}, state: 'up' as const, ...one },
  );
  expect(standing({ weight: 10 }, known, override && { ...by, ...override })).toMatchObject(expected);
});
