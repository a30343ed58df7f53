// Fairlead answers as the kernel's IPVS does, scenario by scenario, except where known.ts says otherwise.
import { beforeAll, describe, expect, test } from 'vitest';
import { chooseScenarios } from './catalogue.ts';
import { known } from './known.ts';
import { type Report, run } from './run.ts';

/** Its own for each test run would make a failure hard to come back to: `npm run conformance` tries new ones. */
const seed = 1;
const all = chooseScenarios({ words: [], seed, count: 2 });
/** A part, which takes three minutes; `npm run conformance` runs all. */
const part = new Set([
  ...['cli/ipv6', 'cli/mixed-families', 'cli/sctp', 'cli/thresholds'],
  ...[
    'life/counters-of-deleted',
    'life/deleted-server',
    'life/persistence',
    'life/persistence-any-port',
    'life/quiescent',
  ],
  ...['life/same-reply-tuple', 'life/sctp-masq', 'life/statistics', 'life/udp-tunnel'],
  ...['packets/bad-checksums', 'packets/fragments', 'packets/icmp-from-client', 'packets/icmp-from-server'],
  ...['packets/icmp-kinds', 'packets/ports', 'random/states-1'],
  ...['packets/ipv6-gate', 'packets/ipv6-masq', 'packets/ipv6-tunnel', 'packets/malformed', 'packets/methods'],
  ...['packets/own-errors-counted', 'packets/refusals', 'packets/too-large', 'packets/ttl', 'packets/udp'],
  ...['schedule/edits', 'schedule/lblc', 'schedule/thresholds-edited', 'schedule/udp', 'schedule/wlc', 'sockets/nat'],
  ...['random/commands-1', 'random/packets-1', 'random/packets-2', 'random/traffic-1', 'random/traffic-2'],
]);
const scenarios = all.filter(({ name }) => part.has(name));

test('every scenario that is named exists', () => {
  const names = all.map(({ name }) => name);
  const named = [...known.flatMap((entry) => entry.scenarios), ...part];
  expect(named.filter((name) => !names.includes(name))).toEqual([]);
});

describe.skipIf(process.arch !== 'x64')('like IPVS', () => {
  let report: Report;

  beforeAll(async () => {
    report = await run(scenarios, { bothKernels: false, say: () => {} });
  }, 1_800_000);

  test.each(scenarios.map(({ name }) => name))('%s', (name) => {
    const verdict = report.verdicts.find((candidate) => candidate.name === name);
    if (verdict?.because === undefined) expect(verdict?.disagreements).toEqual([]);
    else expect(verdict.disagreements, `it agrees: take it off known.ts`).not.toEqual([]);
  });
});
