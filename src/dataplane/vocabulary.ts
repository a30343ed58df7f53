// Names and numbers that programs and user space share, read from the programs' BTF.
import type { Layouts } from '../kernel/btf.ts';
import { type FlowState, flowStates } from '../model/director.ts';
import { type Method, methods, type Protocol, type Scheduler, schedulers } from '../model/service.ts';

/** IANA's numbers. */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Of the protocols without ports. */
export const portlessNumbers = { esp: 50, ah: 51 } as const;

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
  readonly numbers: Numbers;
}

/** By the names that they have in bpf/fairlead.h, and by their enum there. */
const numberNames = {
  none: ['NO_DESTINATION', 'NO_SERVICE', 'NO_SLOT', 'NO_PARTNER', 'NO_LOOKUP'],
  constant: [
    'BUCKETS',
    'MH_BUCKETS',
    'BLOCK_MEMBERS',
    'FLOW_WINDOW',
    'FLOW_GRACE',
    'SLOTS_PER_PAGE',
    'PAGES_PER_WORD',
    'SLOTS_PER_CONNECTION',
    'MARK_RULES',
    'MSS_OF_PATH',
  ],
  lightest_of_block: ['BLOCK_CHANGED', 'BLOCK_NOBODY', 'BLOCK_FIRST', 'BLOCK_BUSY', 'BLOCK_ASKED'],
  tunnel: ['TUNNEL_IPIP', 'TUNNEL_GUE', 'TUNNEL_GRE', 'TUNNEL_TYPE_MASK', 'TUNNEL_CSUM', 'TUNNEL_REMCSUM'],
  destination_flag: ['DESTINATION_AVAILABLE'],
  on_remove: ['ON_REMOVE_KEEP', 'ON_REMOVE_RESCHEDULE', 'ON_REMOVE_RESET'],
  uoa: ['UOA_NONE', 'UOA_OPTION', 'UOA_HEADER'],
  service_flag: [
    'SERVICE_PERSISTENT',
    'SERVICE_ONE_PACKET',
    'SERVICE_THRESHOLDS',
    'SERVICE_FLAG_1',
    'SERVICE_CALL_ID',
    'SERVICE_RESCHEDULES',
    'SERVICE_RESETS',
    'SERVICE_UOA_SHIFT',
    'SERVICE_UOA_MASK',
    'SERVICE_MSS_SHIFT',
  ],
  service_lookup: ['LOOKUP_MARK', 'LOOKUP_FTP', 'LOOKUP_ANY_PORT', 'LOOKUP_IKE', 'LOOKUP_FTP_DATA', 'LOOKUP_CALL_ID'],
  six: ['SIX_NONE', 'SIX_WHOLE', 'SIX_TRANSLATED'],
  flow_template: ['TEMPLATE_BIT', 'TEMPLATE_PARKED_BIT', 'TEMPLATE_CALL_ID_BIT', 'TEMPLATE_CLOSED'],
  interface_bit: ['INTERFACE_XDP_BIT'],
  end: ['END_TARGET', 'END_SOURCE'],
  flow_control: [
    'FLOW_KIND_MASK',
    'FLOW_OFFSET_SHIFT',
    'FLOW_OFFSET_MASK',
    'FLOW_STATE_SHIFT',
    'FLOW_STATE_MASK',
    'FLOW_METHOD_SHIFT',
    'FLOW_METHOD_MASK',
    'FLOW_INACTIVE',
    'FLOW_SIX',
    'FLOW_EXTENDED',
    'FLOW_GENERATION_SHIFT',
    'FLOW_BELOW_GENERATION',
  ],
  mark_rule_flag: [
    'MARK_NOT_SOURCE',
    'MARK_NOT_TARGET',
    'MARK_NOT_PROTOCOL',
    'MARK_NOT_SOURCE_PORTS',
    'MARK_NOT_TARGET_PORTS',
    'MARK_NOT_INTERFACE',
    'MARK_NOT_MARK',
    'MARK_INTERFACE',
    'MARK_ENDS',
    'MARK_MARKED',
    'MARK_SETS',
    'MARK_SAME',
  ],
  mark_rules_bits: ['MARK_COUNT_MASK', 'MARK_SECOND_HALF', 'MARK_VERSION_SHIFT'],
} as const;
type NumberName = (typeof numberNames)[keyof typeof numberNames][number];
export type Numbers = Readonly<Record<NumberName, number>>;

export function readVocabulary(layouts: Layouts): Vocabulary {
  return {
    schedulers: codes(layouts, 'scheduler', 'SCHEDULER_', schedulers),
    methods: readMethods(layouts),
    states: codes(layouts, 'flow_state', 'STATE_', flowStates),
    reasons: names(layouts, 'reason', 'REASON_'),
    events: names(layouts, 'event', 'EVENT_'),
    flowKinds: layouts.enum('flow_kind'),
    numbers: readNumbers(layouts),
  };
}

/** Connections to a real server of the other family have a number of their own, and are by full NAT. */
function readMethods(layouts: Layouts): Codes<Method> {
  const known = codes(layouts, 'method', 'METHOD_', methods);
  const cross = numberOf(layouts.enum('method'), 'method', 'METHOD_CROSS');
  return { ...known, name: (number) => (number === cross ? 'fullnat' : known.name(number)) };
}

export function readNumbers(layouts: Layouts): Numbers {
  const found = Object.entries(numberNames).flatMap(([tag, wanted]) => {
    const values = layouts.enum(tag);
    return wanted.map((name) => [name, numberOf(values, tag, name)] as const);
  });
  return Object.fromEntries(found) as Numbers;
}

export function protocolName(number: number): Protocol | undefined {
  return (Object.keys(protocolNumbers) as Protocol[]).find((name) => protocolNumbers[name] === number);
}

export function portlessName(number: number): keyof typeof portlessNumbers | undefined {
  if (number === portlessNumbers.esp) return 'esp';
  return number === portlessNumbers.ah ? 'ah' : undefined;
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
