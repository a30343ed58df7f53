// The numbers that stand in kept maps: a later build may add some, and changes none.
import type { TypeLayouts } from '../../kernel/btf.ts';
import { FairleadError } from '../../model/error.ts';

/** The enums that what is kept is written in, and the sizes that it is laid out by. */
export const keptNumbers = [
  'method',
  'scheduler',
  'flow_state',
  'flow_kind',
  'none',
  'constant',
  'tunnel',
  'destination_flag',
  'service_flag',
  'service_lookup',
  'flow_template',
  'interface_bit',
  'end',
  'flow_control',
  'mark_rule_flag',
  'mark_rules_bits',
  'on_remove',
  'uoa',
  'reason',
  'event',
] as const;

/** They end an enum, and grow with it. */
const counts: ReadonlySet<string> = new Set(['STATES', 'REASONS', 'EVENTS', 'SCHEDULER_NONE']);
/** Nothing refers to these but the rows of their counters, which are left behind where a version does not have them. */
const counted: ReadonlySet<string> = new Set(['reason', 'event']);

/** Throws not-supported where one of the former build's is missing, or means something else. */
export function requireSameNumbers(before: TypeLayouts, now: TypeLayouts): void {
  for (const tag of keptNumbers) {
    const numbers = now.enum(tag);
    for (const [name, number] of numbersOf(before, tag)) {
      const present = numbers.get(name);
      if (present === number || counts.has(name) || (present === undefined && counted.has(tag))) continue;
      throw new FairleadError(
        'not-supported',
        `what is attached can't be brought to this version: ${name} was ${number} and is ${present ?? 'no more'}`,
        { hint: 'run fairlead detach, then start again: connections end' },
      );
    }
  }
}

/** None of an enum that came later. */
function numbersOf(layouts: TypeLayouts, tag: string): ReadonlyMap<string, number> {
  try {
    return layouts.enum(tag);
  } catch {
    return new Map();
  }
}
