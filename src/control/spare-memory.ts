// Memory that a large change needed for a moment is given back: V8 would keep it for as long as little happens.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Of services that changed: with fewer there is little to give back. */
const manyServices = 1000;
/** By then whoever asked for the change has the answer: collecting takes up to 100 ms. */
const afterMs = 1000;

let collect: (() => void) | undefined;

export function spareMemoryAfter(services: number): void {
  if (services < manyServices) return;
  setTimeout(() => {
    collect ??= exposedCollector();
    collect();
  }, afterMs).unref();
}

/** The one way to it without an option on the command line. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => void;
  return () => gc({ type: 'major', flavor: 'last-resort' });
}
