// Runs scenarios on both sides at once and judges what came of it.

import { compare, type Disagreement } from './compare.ts';
import { known } from './known.ts';
import type { Scenario } from './scenario.ts';
import { runOnFairlead, runOnIpvs } from './sides.ts';

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

export async function run(scenarios: readonly Scenario[], say: (text: string) => void): Promise<Report> {
  const [ipvs, fairlead] = await Promise.all([runOnIpvs(scenarios, say), runOnFairlead(scenarios, say)]);
  return {
    verdicts: scenarios.map(({ name }) =>
      judge(name, { ipvs: ipvs.get(name) ?? '', fairlead: fairlead.get(name) ?? '' }),
    ),
  };
}

function judge(name: string, transcripts: { readonly ipvs: string; readonly fairlead: string }): Verdict {
  const disagreements = compare(transcripts.ipvs, transcripts.fairlead);
  const because = known.find(({ scenarios }) => scenarios.includes(name))?.because;
  return {
    name,
    disagreements,
    because,
    isExpected: (because === undefined) === (disagreements.length === 0),
    transcripts,
  };
}
