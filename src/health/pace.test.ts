// How many probes begin, and in which order.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Pace } from './pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('few begin at once', () => {
  using pace = new Pace({ mostBegun: 100, mostAtOnce: 100 });
  const begun = beginMany(pace, 10, 0);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('of many no more than so many in a second, in the order in which they came', async () => {
  using pace = new Pace({ mostBegun: 100, mostAtOnce: 1000 });
  const begun = beginMany(pace, 250, 0);
  for (const [afterMs, atMost] of [
    [0, 10],
    [1000, 110],
    [1000, 210],
  ] as const) {
    await vi.advanceTimersByTimeAsync(afterMs);
    expect(begun.length).toBeGreaterThan(atMost - 12);
    expect(begun.length).toBeLessThanOrEqual(atMost);
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(begun).toEqual(Array.from({ length: 250 }, (_, index) => index));
});

test('nor more at a time than so many', async () => {
  using pace = new Pace({ mostBegun: 1000, mostAtOnce: 5 });
  const begun = beginMany(pace, 20, 1000);
  await vi.advanceTimersByTimeAsync(900);
  expect(begun).toHaveLength(5);
  await vi.advanceTimersByTimeAsync(200);
  expect(begun).toHaveLength(10);
});

test('after its end none begins', async () => {
  const pace = new Pace({ mostBegun: 10, mostAtOnce: 10 });
  const begun = beginMany(pace, 20, 0);
  const before = begun.length;
  pace[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(begun).toHaveLength(before);
});

/** Their numbers as they begin. */
function beginMany(pace: Pace, count: number, takesMs: number): readonly number[] {
  const begun: number[] = [];
  for (let number = 0; number < count; number++)
    pace.begin(async () => {
      begun.push(number);
      await new Promise((resolve) => setTimeout(resolve, takesMs));
    });
  return begun;
}
