// Memory that a change of a large table needed for a moment is given back: V8 would keep it for as long as little happens.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** With fewer services there is little to give back. */
const manyServices = 1000;
/** Collecting takes up to 100 ms: not while changes follow each other, and whoever asked for the last one has the answer by then. */
const afterMs = 2000;

let collect: (() => void) | undefined;
let timer: NodeJS.Timeout | undefined;
/** Many services were made since the last time. */
let wasLarge = false;

/** `declared`: how many services are; `made`: of how many it was found out what is to be installed. */
export function spareMemoryAfterChange(declared: number, made: number): void {
  if (declared < manyServices) return;
  wasLarge ||= made >= manyServices;
  clearTimeout(timer);
  timer = setTimeout(() => {
    collect ??= exposedCollector();
    if (wasLarge) compactly(collect);
    else collect();
    wasLarge = false;
  }, afterMs).unref();
}

/**
 * Else pages of which a small part is in use stay as they are: 100 MB after 100,000 destinations were made. It takes three times as long,
 * but such a change took seconds.
 */
function compactly(work: () => void): void {
  setFlagsFromString('--compact-on-every-full-gc');
  work();
  setFlagsFromString('--no-compact-on-every-full-gc');
}

/** The one way to it without an option on the command line. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
