// A moment's want of memory is waited out, anything else is not.
import { expect, test } from 'vitest';
import { untilMemory } from './again.ts';
import { EBUSY, ENOMEM } from './errno.ts';

test.each([
  ['is tried again until there is memory', [-ENOMEM, -ENOMEM, 7, 8], 7, 3],
  ['is tried once when it succeeds', [0, 1], 0, 1],
  ['is tried once when something else is wrong', [-EBUSY, 0], -EBUSY, 1],
])('what %s', (_, answers, result, calls) => {
  let asked = 0;
  expect(untilMemory(() => answers[asked++] ?? 0)).toBe(result);
  expect(asked).toBe(calls);
});

test('memory that does not come is told', () => {
  expect(untilMemory(() => -ENOMEM)).toBe(-ENOMEM);
});
