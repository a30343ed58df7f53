// Names and numbers of methods, schedulers, states, reasons and events: the numbers are the programs', read from their BTF.
import type { Layouts } from '../kernel/btf.ts';
import { type FlowState, flowStates } from '../model/director.ts';
import { type Method, type Protocol, type Scheduler, schedulers } from '../model/service.ts';

/** IANA's numbers. */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

export interface Codes<Name extends string> {
  number(name: Name): number;
  /** undefined for a number that has no name. */
  name(number: number): Name | undefined;
}

export interface Vocabulary {
  readonly schedulers: Codes<Scheduler>;
  readonly methods: Codes<Method>;
  readonly states: Codes<FlowState>;
  /** By number; `too-big` for REASON_TOO_BIG. */
  readonly reasons: readonly string[];
  readonly events: readonly string[];
  readonly flowKinds: ReadonlyMap<string, number>;
}

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];

export function readVocabulary(layouts: Layouts): Vocabulary {
  return {
    schedulers: codes(layouts, 'scheduler', 'SCHEDULER_', schedulers),
    methods: codes(layouts, 'method', 'METHOD_', methods),
    states: codes(layouts, 'flow_state', 'STATE_', flowStates),
    reasons: names(layouts, 'reason', 'REASON_'),
    events: names(layouts, 'event', 'EVENT_'),
    flowKinds: layouts.enum('flow_kind'),
  };
}

export function protocolName(number: number): Protocol | undefined {
  return (Object.keys(protocolNumbers) as Protocol[]).find((name) => protocolNumbers[name] === number);
}

function codes<Name extends string>(
  layouts: Layouts,
  tag: string,
  prefix: string,
  known: readonly Name[],
): Codes<Name> {
  const values = layouts.enum(tag);
  const numbers = new Map(known.map((name) => [name, numberOf(values, tag, prefix + name.toUpperCase())]));
  const byNumber = new Map([...numbers].map(([name, number]) => [number, name]));
  return {
    number: (name) => numbers.get(name) ?? numberOf(values, tag, name),
    name: (number) => byNumber.get(number),
  };
}

function numberOf(values: ReadonlyMap<string, number>, tag: string, name: string): number {
  const number = values.get(name);
  if (number === undefined) throw new Error(`enum ${tag} has no ${name}`);
  return number;
}

/** Without the count that ends the enum, whose name is the plural. */
function names(layouts: Layouts, tag: string, prefix: string): readonly string[] {
  const found: string[] = [];
  for (const [name, number] of layouts.enum(tag)) {
    if (name.startsWith(prefix)) found[number] = name.slice(prefix.length).toLowerCase().replaceAll('_', '-');
  }
  return found;
}
