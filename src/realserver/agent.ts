// Makes this network namespace a real server for a VIP, and undoes it: step by step, each step recorded before it is made.
import { FairleadError } from '../model/error.ts';
import { make, type Undone, undo } from './apply.ts';
import { type Change, formatChange, keyOf, tunnelOf } from './change.ts';
import { Decapsulator } from './decapsulator.ts';
import { type Journal, readJournal, writeJournal } from './journal.ts';
import { withoutVip, withVip } from './owners.ts';
import { plan, type RealServerMethod } from './plan.ts';
import { readSystem } from './system.ts';
import { ipip, type TunnelEnd } from './tunnel.ts';

export interface Undoing {
  readonly change: Change;
  readonly outcome: Undone;
}

/**
 * Yields what has just been done, and returns what was changed: nothing where all is as it should be. Whoever dies at any
 * step leaves a journal with which both `add` and `remove` go on. A failure is undone before it is thrown.
 */
export function* add(
  vip: string,
  method: RealServerMethod,
  tunnel: TunnelEnd = ipip,
): Generator<string, readonly Change[]> {
  const before = readJournal();
  using decapsulator = openDecapsulator(before);
  const needs = plan(vip, method, readSystem(), decapsulator, tunnel);
  const journal = { ...withVip(before, vip, method, needs), program: decapsulator.loaded };
  const changes = needs.flatMap(({ change }) => change ?? []);
  if (JSON.stringify(journal) !== JSON.stringify(before)) writeJournal(journal);
  yield 'recorded';
  const made: Change[] = [];
  try {
    for (const change of changes) {
      make(change, decapsulator);
      made.push(change);
      yield keyOf(change);
    }
  } catch (error) {
    rollBack(made, before, decapsulator, vip, error);
  }
  return changes;
}

/** Yields what has just been undone. What another VIP needs as well stays. */
export function* remove(vip: string): Generator<string, readonly Undoing[]> {
  const journal = readJournal();
  if (!journal.vips.some((one) => one.vip === vip))
    throw new FairleadError('not-attached', `${vip} is not a VIP that was added in this network namespace`, {
      hint: "'fairlead realserver status' lists those that were",
    });
  using decapsulator = journal.program && Decapsulator.open(journal.program);
  const { doomed, rest } = withoutVip(journal, vip);
  const undone: Undoing[] = [];
  for (const change of doomed) {
    undone.push({ change, outcome: undo(change, decapsulator) });
    yield keyOf(change);
  }
  writeJournal(rest);
  yield 'forgotten';
  return undone;
}

/** The one in use, or after an upgrade or where there is none a new one that knows the VIPs already. */
function openDecapsulator({ program, changes }: Journal): Decapsulator {
  const used = program && Decapsulator.open(program);
  if (used?.isCurrent) return used;
  used?.[Symbol.dispose]();
  const fresh = Decapsulator.load();
  for (const change of changes) if (change.kind === 'decapsulation') fresh.take(change.vip, tunnelOf(change));
  return fresh;
}

function rollBack(
  made: readonly Change[],
  before: Journal,
  decapsulator: Decapsulator,
  vip: string,
  cause: unknown,
): never {
  // Where a new program has taken an old one's place it stays: it knows the same VIPs.
  const known = new Set(before.changes.filter(({ kind }) => kind === 'filter').map(keyOf));
  try {
    for (const change of made.toReversed()) if (!known.has(keyOf(change))) undo(change, decapsulator);
    writeJournal({ ...before, program: decapsulator.loaded });
  } catch (error) {
    const [why, then] = [cause, error].map((one) => (one instanceof Error ? one.message : String(one)));
    throw new FairleadError('kernel', `${why}; and undoing it failed: ${then}`, {
      cause,
      hint: `'fairlead realserver remove ${vip}' goes on with undoing: ${made.map(formatChange).join(', ')}`,
    });
  }
  throw cause;
}
