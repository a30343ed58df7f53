// When a table counts as nearly full, and when as one with room again.
import { expect, test } from 'vitest';
import { judgeLimits } from './limits.ts';

test('told once at nine tenths, and once again below eight', () => {
  const near = new Set<string>();
  const look = (used: number): readonly string[] => {
    const fill = { used: 0, size: 10, deleted: 0 };
    const tables = { connections: { used, size: 100 }, services: fill, destinations: fill, markRules: fill };
    return judgeLimits(tables, near).map(({ table, what, why }) => `${table}: ${what}: ${why}`);
  };
  expect(look(89)).toEqual([]);
  expect(look(90)).toEqual(['connections: limit: 90 of 100 are used']);
  expect(look(95)).toEqual([]);
  expect(look(85)).toEqual([]);
  expect(look(79)).toEqual(['connections: limit-over: 79 of 100 are used']);
  expect(look(85)).toEqual([]);
});
