// Makes this network namespace a real server for a VIP, and undoes it: step by step, each step recorded before it is made.
import { FairleadError } from '../model/error.ts';
import { make, type Undone, undo } from './apply.ts';
import { type Change, formatChange, keyOf, tunnelOf } from './change.ts';
import { ClientPrograms } from './clients.ts';
import { Decapsulator } from './decapsulator.ts';
import { type Journal, type RecordedVip, readJournal, writeJournal } from './journal.ts';
import { withoutVip, withVip } from './owners.ts';
import { type Need, noDecapsulation, noTelling, plan, type Telling, type Wanted } from './plan.ts';
import { readSystem } from './system.ts';

export interface Undoing {
  readonly change: Change;
  readonly outcome: Undone;
}

/**
 * Yields what has just been done, and returns what was changed: nothing where all is as it should be. Whoever dies at any
 * step leaves a journal with which both `add` and `remove` go on. A failure is undone before it is thrown.
 */
export function* add(wanted: Wanted, isDeclared = false): Generator<string, readonly Change[]> {
  const before = readJournal();
  const { vip, method, arp } = wanted;
  refuseOther(before, wanted);
  using decapsulator = method === 'tunnel' ? openDecapsulator(before) : undefined;
  const needs = planNow(wanted, decapsulator);
  const journal = {
    ...withVip(before, { vip, method, arp, isDeclared }, needs),
    program: decapsulator?.loaded ?? before.program,
  };
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

/** What `add` would find, and nothing is changed. Throws what it would throw. */
export function examine(wanted: Wanted): readonly Need[] {
  const { program } = readJournal();
  using used = program && Decapsulator.open(program);
  return planNow(wanted, used?.isCurrent ? used : undefined);
}

function planNow(wanted: Wanted, decapsulator: Decapsulator | undefined): readonly Need[] {
  using clients = ClientPrograms.open();
  const telling: Telling = clients ?? noTelling;
  return plan(wanted, readSystem(), decapsulator ?? noDecapsulation, telling);
}

/** Yields what has just been undone. What another VIP needs as well stays. */
export function* remove(vip: string): Generator<string, readonly Undoing[]> {
  const journal = readJournal();
  if (!journal.vips.some((one) => one.vip === vip))
    throw new FairleadError('not-attached', `${vip} is not a VIP that was added in this network namespace`, {
      hint: "'fairlead realserver status' lists those that were",
    });
  const { doomed, rest } = withoutVip(journal, vip);
  return yield* undoAll(journal, doomed, rest);
}

/** Whatever was added, by whomever. */
export function* reset(): Generator<string, readonly Undoing[]> {
  const journal = readJournal();
  return yield* undoAll(journal, journal.changes.toReversed(), { ...journal, vips: [], changes: [] });
}

function* undoAll(
  { program }: Journal,
  doomed: readonly Change[],
  rest: Journal,
): Generator<string, readonly Undoing[]> {
  using decapsulator = program && Decapsulator.open(program);
  const undone: Undoing[] = [];
  for (const change of doomed) {
    undone.push({ change, outcome: undo(change, decapsulator) });
    yield keyOf(change);
  }
  writeJournal(rest);
  yield 'forgotten';
  return undone;
}

/** One VIP is served in one way; of tunnels there may be several kinds. */
function refuseOther({ vips }: Journal, { vip, method, arp }: Wanted): void {
  const known = vips.find((one) => one.vip === vip);
  if (known === undefined || (known.method === method && known.arp === arp)) return;
  throw new FairleadError(
    'address-unusable',
    `${vip} was added as ${formatKind(known)}, not as ${formatKind({ method, arp })}`,
    {
      hint: `remove it first: fairlead realserver remove ${vip}`,
    },
  );
}

function formatKind({ method, arp }: Pick<RecordedVip, 'method' | 'arp'>): string {
  return `--method ${method}${arp === 'ignore' ? '' : ` --arp ${arp}`}`;
}

/** The one in use, or after an upgrade or where there is none a new one that knows the VIPs already. */
function openDecapsulator({ program, changes }: Journal): Decapsulator {
  const used = program && Decapsulator.open(program);
  if (used?.isCurrent) return used;
  used?.[Symbol.dispose]();
  const fresh = Decapsulator.load();
  for (const change of changes) {
    if (change.kind === 'decapsulation') fresh.take(change.vip, tunnelOf(change));
    if (change.kind === 'path-mtu') fresh.setPathMtu(change.vip, change.mtu);
  }
  return fresh;
}

function rollBack(
  made: readonly Change[],
  before: Journal,
  decapsulator: Decapsulator | undefined,
  vip: string,
  cause: unknown,
): never {
  // Where a new program has taken an old one's place it stays: it knows the same VIPs.
  const known = new Set(before.changes.filter(({ kind }) => kind === 'filter').map(keyOf));
  try {
    for (const change of made.toReversed()) if (!known.has(keyOf(change))) undo(change, decapsulator);
    writeJournal({ ...before, program: decapsulator?.loaded ?? before.program });
  } catch (error) {
    const [why, then] = [cause, error].map((one) => (one instanceof Error ? one.message : String(one)));
    throw new FairleadError('kernel', `${why}; and undoing it failed: ${then}`, {
      cause,
      hint: `'fairlead realserver remove ${vip}' goes on with undoing: ${made.map(formatChange).join(', ')}`,
    });
  }
  throw cause;
}
