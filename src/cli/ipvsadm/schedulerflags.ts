// The flags of -b: which there are, and which scheduler takes which.
import { refuse } from './refusal.ts';

const takenBy: Readonly<Record<string, string | undefined>> = {
  'flag-1': undefined,
  'flag-2': undefined,
  'flag-3': undefined,
  'sh-fallback': 'sh',
  'sh-port': 'sh',
  'mh-fallback': 'mh',
  'mh-port': 'mh',
};

/** A comma at the end, or two in a row, are fine: ipvsadm's strtok skips them. */
export function checkSchedulerFlags(scheduler: string, flags: string): void {
  for (const flag of flags.split(',').filter((one) => one !== '')) {
    if (!Object.hasOwn(takenBy, flag)) refuse(`invalid scheduler flag \`${flag}'`);
    const taker = takenBy[flag];
    if (taker !== undefined && taker !== scheduler) refuse(`incompatible scheduler flag \`${flag}'`);
  }
}
