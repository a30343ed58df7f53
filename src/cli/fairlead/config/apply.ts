// fairlead plan and apply: from a configuration to the kernel, first only in words.
import { loadConfig } from '../../../config/load.ts';
import { applyDesired, planDesired } from '../../../control/apply.ts';
import { toDesired } from '../../../control/desired.ts';
import { type Difference, isSame } from '../../../control/difference.ts';
import { openDirector } from '../../../dataplane/director.ts';
import type { Declared } from '../../../model/declared.ts';
import { nothingInstalled } from '../../../model/everything.ts';
import type { Io } from '../io.ts';
import { toJson } from '../json.ts';
import { formatDifference, summarise } from './difference.ts';

export interface ApplyOptions {
  readonly output: 'table' | 'json';
  /** What was declared before and is no more goes. */
  readonly prune: boolean;
}

/** Returns whether there is a difference. */
export function planFile(io: Io, path: string, { output, prune }: ApplyOptions): boolean {
  const declared = loadConfig(path);
  using director = openDirector({ create: false });
  const difference = planDesired(director?.everything() ?? nothingInstalled, toDesired(declared), { keep: !prune });
  show(io, difference, output, 'to come');
  return !isSame(difference);
}

export function applyFile(io: Io, path: string, { output, prune }: ApplyOptions): void {
  const declared = loadConfig(path);
  for (const text of withoutDaemon(declared)) io.stderr.write(`fairlead: ${text}\n`);
  using director = openDirector({ create: true, warn: (text) => io.stderr.write(`fairlead: ${text}\n`) });
  if (director === undefined) return;
  show(io, applyDesired(director, toDesired(declared), { keep: !prune }), output, 'done');
}

function show(io: Io, difference: Difference, output: 'table' | 'json', tense: 'to come' | 'done'): void {
  if (output === 'json') io.stdout.write(toJson(difference));
  else io.stdout.write(formatDifference(difference) + summarise(difference, tense));
}

/** What is declared and only the daemon does. */
function withoutDaemon({ services }: Declared): readonly string[] {
  const isChecked = services.some(({ destinations }) => destinations.some(({ checks }) => checks.length > 0));
  return isChecked ? ['health checks begin with the daemon: fairlead run -c FILE'] : [];
}
