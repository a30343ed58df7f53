// The three flags that a scheduler may have, and what each scheduler calls them.
import type { Scheduler } from './service.ts';

/** Source: IP_VS_SVC_F_SCHED1 to 3, and what ipvsadm names them. */
const ownNames: Readonly<Record<string, readonly string[]>> = {
  sh: ['sh-fallback', 'sh-port'],
  mh: ['mh-fallback', 'mh-port'],
};
const commonNames = ['flag-1', 'flag-2', 'flag-3'];

/** Bit 0 is flag 1. Names that are none count as nothing. */
export function schedulerFlagBits(names: readonly string[] = []): number {
  return names.reduce((bits, name) => bits | bitOf(name), 0);
}

/** By the scheduler's own names as far as it has some. */
export function schedulerFlagNames(scheduler: Scheduler, bits: number): readonly string[] {
  return commonNames.flatMap((common, flag) => ((bits >> flag) & 1 ? [ownNames[scheduler]?.[flag] ?? common] : []));
}

function bitOf(name: string): number {
  for (const names of [commonNames, ...Object.values(ownNames)]) {
    const flag = names.indexOf(name);
    if (flag >= 0) return 1 << flag;
  }
  return 0;
}
