// fairlead plan and apply: from a configuration to the kernel, first only in words.
import { type Client, connect } from '../../../api/client.ts';
import type { Difference } from '../../../api/contract.ts';
import { parseConfig, readConfig } from '../../../config/load.ts';
import { applyDesired, planDesired } from '../../../control/apply.ts';
import { toDesired } from '../../../control/desired.ts';
import { isSame } from '../../../control/difference.ts';
import { openDirector } from '../../../dataplane/director.ts';
import { daemonPlace } from '../../../dataplane/place.ts';
import type { Declared } from '../../../model/declared.ts';
import { FairleadError } from '../../../model/error.ts';
import { nothingInstalled } from '../../../model/everything.ts';
import type { Io } from '../io.ts';
import { toJson } from '../json.ts';
import { formatDifference, summarise } from './difference.ts';

export interface ApplyOptions {
  readonly output: 'table' | 'json';
  /** What was declared before and is no more goes. */
  readonly prune: boolean;
}

/** Returns whether there is a difference. A daemon knows how destinations stand, and so what apply would do there. */
export async function planFile(io: Io, path: string, { output, prune }: ApplyOptions): Promise<boolean> {
  const { bytes, name } = readConfig(path);
  const difference =
    (await byDaemon((client) => client.plan(bytes, { name }))) ?? planHere(parseConfig(bytes, name), prune);
  show(io, difference, output, 'to come');
  return !isSame(difference);
}

function planHere(declared: Declared, prune: boolean): Difference {
  using director = openDirector({ create: false });
  return planDesired(director?.everything() ?? nothingInstalled, toDesired(declared), { keep: !prune });
}

/** By the daemon, where one runs: it would soon undo what another does beside it. */
export async function applyFile(io: Io, path: string, { output, prune }: ApplyOptions): Promise<void> {
  const { bytes, name } = readConfig(path);
  const difference = await byDaemon((client) => client.apply(bytes, { name }));
  if (difference !== undefined) {
    if (!prune)
      io.stderr.write('fairlead: a daemon runs, and holds just what is declared: --no-prune has no meaning\n');
    show(io, difference, output, 'done');
    return;
  }
  const declared = parseConfig(bytes, name);
  for (const text of withoutDaemon(declared)) io.stderr.write(`fairlead: ${text}\n`);
  using director = openDirector({ create: true, warn: (text) => io.stderr.write(`fairlead: ${text}\n`) });
  if (director === undefined) return;
  show(io, applyDesired(director, toDesired(declared), { keep: !prune }), output, 'done');
}

/** undefined where none runs. */
async function byDaemon(call: (client: Client) => Promise<Difference>): Promise<Difference | undefined> {
  try {
    return await call(connect({ socket: daemonPlace().api }));
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'daemon-missing') return undefined;
    throw error;
  }
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
