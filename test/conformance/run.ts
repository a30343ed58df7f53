// Runs scenarios on both sides at once and judges what came of it.

import { compare, type Disagreement, durationS } from './compare.ts';
import { known } from './known.ts';
import type { Scenario } from './scenario.ts';
import { runOnFairlead, runOnFairleadThere, runOnIpvs, type Transcripts } from './sides.ts';

export interface Verdict {
  readonly scenario: string;
  /** The scenario's, and on which kernel if not on this one. */
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

/** Tried with Fairlead on the machine's older kernel too: few, because each of its commands takes ten seconds there. */
const onBothKernels = ['packets/methods', 'packets/ttl', 'packets/malformed', 'packets/scheduled-flags', 'sockets/nat'];

/** The shortest timer, that of an SCTP association that is only begun. */
const SLOW_S = 3;

export interface RunOptions {
  /** A part once more with Fairlead on the machine's older kernel. */
  readonly bothKernels: boolean;
  say(text: string): void;
}

/** A scenario that took long enough for timers to run out under it, and disagrees, runs a second time. */
export async function run(scenarios: readonly Scenario[], options: RunOptions): Promise<Report> {
  const first = await runOnce(scenarios, options);
  const again = scenarios.filter(({ name }) =>
    first.verdicts.some((verdict) => verdict.scenario === name && !verdict.isExpected && isSlow(verdict)),
  );
  if (again.length === 0) return first;
  for (const { name } of again) options.say(`${name} was slow and disagreed: once more`);
  const second = await runOnce(again, options);
  const replaced = ({ name }: Verdict): boolean => second.verdicts.some((verdict) => verdict.name === name);
  return { verdicts: [...first.verdicts.filter((verdict) => !replaced(verdict)), ...second.verdicts] };
}

function isSlow({ transcripts }: Verdict): boolean {
  return Math.max(durationS(transcripts.ipvs), durationS(transcripts.fairlead)) > SLOW_S;
}

async function runOnce(scenarios: readonly Scenario[], { bothKernels, say }: RunOptions): Promise<Report> {
  const there = scenarios.filter(({ name }) => bothKernels && onBothKernels.includes(name));
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
    scenario,
    name,
    disagreements,
    because,
    isExpected: (because === undefined) === (disagreements.length === 0),
    transcripts,
  };
}
