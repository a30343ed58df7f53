// Which tests there are and how they run: those of all projects side by side.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Where this is set, Node reads all of these certificates whenever it starts, which takes longer than the rest of its start. Nothing that
// tests start thousands of times asks anybody out there.
delete process.env.NODE_EXTRA_CA_CERTS;

/** One more than there are CPUs, for most tests wait for something half of their time; not any number, for each has networks of its own. */
const maxWorkers = Math.min(availableParallelism() + 1, 8);
/** Files of projects with the same number here run beside each other. */
const together = { maxWorkers, sequence: { groupOrder: 1 } };
const machine = { ...together, hookTimeout: 300_000, testTimeout: 120_000 };

/** They wait for an emulated machine, which has one CPU: the others are done meanwhile. */
const longest = ['/conformance.test.ts', '/linux-6.1.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => longest.some((end) => moduleId.endsWith(end));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // A property is tried many times, which takes its time on a machine that is busy. To start a process for each file would take longer
      // than most of them do.
      { test: { name: 'unit', include: ['src/**/*.test.ts'], ...together, isolate: false, testTimeout: 60_000 } },
      {
        test: {
          name: 'house',
          include: ['test/*.test.ts', 'test/conformance/compare.test.ts'],
          ...together,
          testTimeout: 60_000,
        },
      },
      { test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], ...machine } },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...machine } },
      { test: { name: 'conformance', include: ['test/conformance/conformance.test.ts'], ...machine } },
    ],
  },
});
