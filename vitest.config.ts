// Which tests there are and how they run: pure ones side by side, those that use the machine two files at a time.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      // A property is tried many times, which takes its time on a machine that is busy.
      { test: { name: 'unit', include: ['src/**/*.test.ts'], testTimeout: 60_000, sequence: { groupOrder: 0 } } },
      {
        test: {
          name: 'house',
          include: ['test/*.test.ts', 'test/conformance/compare.test.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], ...atATime(2, 2), testTimeout: 120_000 } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...atATime(2, 3), testTimeout: 120_000 } },
      { test: { name: 'conformance', include: ['test/conformance/conformance.test.ts'], ...atATime(1, 4) } },
    ],
  },
});

/** Each file has namespaces of its own: more at once would only wait for each other's programs to load. */
function atATime(maxWorkers: number, groupOrder: number) {
  return { maxWorkers, hookTimeout: 300_000, sequence: { groupOrder } };
}
