// Looks at how full the tables are, and notes when one nearly is, and when it is no more.
import type { Fill, Fills } from '../dataplane/status.ts';
import type { Journal } from './journal.ts';
import type { Log } from './log.ts';

const everyMs = 10_000;
const [nearly, again] = [0.9, 0.8];

export function watchLimits(fills: () => Fills | undefined, journal: Journal, log: Log): Disposable {
  const near = new Set<string>();
  const timer = setInterval(() => {
    const now = fills();
    if (now !== undefined) for (const told of judgeLimits(now, near)) tell(told, journal, log);
  }, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

export interface LimitNews {
  readonly table: string;
  readonly what: 'limit' | 'limit-over';
  readonly why: string;
}

/** `near`: the tables that were nearly full when this was asked last, which becomes those that are now. */
export function judgeLimits(
  { connections, services, destinations, markRules }: Fills,
  near: Set<string>,
): readonly LimitNews[] {
  return Object.entries({ connections, services, destinations, 'mark rules': markRules }).flatMap(([table, fill]) => {
    const isNear = shareOf(fill) >= (near.has(table) ? again : nearly);
    if (isNear === near.has(table)) return [];
    if (isNear) near.add(table);
    else near.delete(table);
    return [{ table, what: isNear ? 'limit' : 'limit-over', why: `${fill.used} of ${fill.size} are used` } as const];
  });
}

function shareOf({ used, size }: Fill): number {
  return used / size;
}

function tell({ table, what, why }: LimitNews, journal: Journal, log: Log): void {
  log[what === 'limit' ? 'warn' : 'info'](
    { table, why },
    what === 'limit' ? 'a table is nearly full' : 'a table has room',
  );
  journal.add({ who: 'fairlead', what, subject: table, why });
}
