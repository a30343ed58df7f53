// Memory that a change of a large table needed for a moment is given back: V8 would keep it for as long as little happens.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** With fewer services there is little to give back. */
const manyServices = 1000;
/** Collecting takes up to 100 ms: not while changes follow each other, and whoever asked for the last one has the answer by then. */
const afterMs = 2000;

let collect: (() => void) | undefined;
let timer: NodeJS.Timeout | undefined;

/** `services`: how many are declared. */
export function spareMemoryAfterChange(services: number): void {
  if (services < manyServices) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    collect ??= exposedCollector();
    collect();
  }, afterMs).unref();
}

/** The one way to it without an option on the command line. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
