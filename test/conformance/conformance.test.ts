// Fairlead answers as the kernel's IPVS does, scenario by scenario, except where known.ts says otherwise.
import { beforeAll, describe, expect, test } from 'vitest';
import { chooseScenarios } from './catalogue.ts';
import { known } from './known.ts';
import { type Report, run } from './run.ts';

/** Its own for each test run would make a failure hard to come back to: `npm run conformance` tries new ones. */
const seed = 1;
const all = chooseScenarios({ words: [], seed, count: 1 });
/** What takes long and is much like others is left to `npm run conformance`. */
const left = [
  'schedule/lc',
  'schedule/nq',
  'schedule/sed',
  'schedule/dh',
  'schedule/lblcr',
  'schedule/destinations-hashed',
];
const scenarios = all.filter(({ name }) => !left.includes(name));

test('every scenario that is known to disagree exists', () => {
  const names = all.map(({ name }) => name);
  expect(known.flatMap((entry) => entry.scenarios).filter((name) => !names.includes(name))).toEqual([]);
});

describe.skipIf(process.arch !== 'x64')('like IPVS', () => {
  let report: Report;

  beforeAll(async () => {
    report = await run(scenarios, () => {});
  }, 1_800_000);

  test.each(scenarios.map(({ name }) => name))('%s', (name) => {
    const verdict = report.verdicts.find((candidate) => candidate.name === name);
    if (verdict?.because === undefined) expect(verdict?.disagreements).toEqual([]);
    else expect(verdict.disagreements, `it agrees: take it off known.ts`).not.toEqual([]);
  });
});
