// Runs scenarios on both sides at once and judges what came of it.

import { compare, type Disagreement } from './compare.ts';
import { known } from './known.ts';
import type { Scenario } from './scenario.ts';
import { runOnFairlead, runOnFairleadThere, runOnIpvs, type Transcripts } from './sides.ts';

export interface Verdict {
  readonly name: string;
  readonly disagreements: readonly Disagreement[];
  /** Why it is known to disagree. */
  readonly because: string | undefined;
  /** It agrees, or disagrees as it is known to. */
  readonly isExpected: boolean;
  readonly transcripts: { readonly ipvs: string; readonly fairlead: string };
}

export interface Report {
  readonly verdicts: readonly Verdict[];
}

/** Tried with Fairlead on the machine's older kernel too: few, because everything takes its time there. */
const onBothKernels = [
  ...['packets/methods', 'packets/ttl', 'packets/udp', 'packets/scheduled-flags', 'packets/malformed'],
  ...['life/deleted-server', 'life/udp-masq', 'schedule/udp', 'sockets/nat', 'sockets/tun'],
];

export async function run(scenarios: readonly Scenario[], say: (text: string) => void): Promise<Report> {
  const there = scenarios.filter(({ name }) => onBothKernels.includes(name));
  const inMachine = async (): Promise<readonly [Transcripts, Transcripts]> => [
    await runOnIpvs(scenarios, say),
    await runOnFairleadThere(there, say),
  ];
  const [[ipvs, older], fairlead] = await Promise.all([inMachine(), runOnFairlead(scenarios, say)]);
  return {
    verdicts: [
      ...scenarios.map(({ name }) => judge(name, name, ipvs, fairlead)),
      ...there.map(({ name }) => judge(name, `${name} (the older kernel)`, ipvs, older)),
    ],
  };
}

function judge(scenario: string, name: string, ipvs: Transcripts, fairlead: Transcripts): Verdict {
  const transcripts = { ipvs: ipvs.get(scenario) ?? '', fairlead: fairlead.get(scenario) ?? '' };
  const disagreements = compare(transcripts.ipvs, transcripts.fairlead);
  const because = known.find(({ scenarios }) => scenarios.includes(scenario))?.because;
  return {
    name,
    disagreements,
    because,
    isExpected: (because === undefined) === (disagreements.length === 0),
    transcripts,
  };
}
