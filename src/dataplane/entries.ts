// One entry of the connection table, whatever its family, with what its extension holds.
import type { Control, ControlWord } from './control.ts';
import type { Maps } from './maps.ts';
import type { Tuple } from './wire.ts';

/** What is only in a template. */
export interface Lease {
  /** It lives so long after its last new connection. */
  readonly timeoutS: number;
  /** Connections that came by it. */
  readonly controlled: number;
  /** Nobody finds it any more. */
  readonly isParked: boolean;
  /** Its key is a hash: see call-ids.ts. */
  readonly hasCallId: boolean;
}

export interface Entry extends ControlWord {
  readonly slot: number;
  /** Jiffies, the low 32 bits. */
  readonly seen: number;
  readonly destination: number;
  /** The slot of its extension. */
  readonly extension: number | undefined;
  /** The slot of the other direction, or NO_PARTNER. */
  readonly partner: number;
  /** The slot of the template that controls it, or NO_SLOT. */
  readonly controller: number;
  readonly key: Tuple;
  /** What its packets become, if its method translates them. */
  readonly becomes: Tuple;
  /** undefined: it is no template. */
  readonly lease: Lease | undefined;
}

interface LeaseRow {
  readonly timeout_s: number;
  readonly controlled: number;
}

interface Words {
  readonly word: readonly bigint[];
}

/** struct flow, of which an IPv4 entry, an IPv6 entry and an extension have each their own members. */
interface FlowRow {
  readonly control: number;
  readonly seen: number;
  readonly destination: number;
  readonly partner: number;
  readonly addresses: bigint;
  readonly ports: bigint;
  readonly new_addresses: bigint;
  readonly new_ports: number;
  readonly controller: number;
  readonly lease: LeaseRow;
  readonly lease_six: LeaseRow;
  readonly six: { readonly addresses: Words; readonly ports: bigint };
  readonly new: { readonly addresses: Words; readonly ports: number };
}

export function readEntry(maps: Maps, control: Control, slot: number): Entry {
  const row = maps.rows('flows').read<FlowRow>(slot);
  const word = control.decode(row.control);
  const key = keyOf(row, word);
  const common = { ...word, slot, seen: row.seen, destination: row.destination, key };
  // While an entry is made or ends, its words may be of two moments: then its extension may be nowhere.
  if (!word.isExtended || row.partner >= maps.rows('flows').length) {
    const { partner, controller } = row;
    const becomes: Tuple = { family: 4, words: [row.new_addresses], ports: portsOf(row.new_ports, key) };
    const { NO_SLOT } = maps.vocabulary.numbers;
    const lease = word.isSix ? undefined : leaseOf(maps, key, row.lease);
    return { ...common, extension: undefined, partner, controller: word.isSix ? NO_SLOT : controller, becomes, lease };
  }
  const extension = maps.rows('flows').read<FlowRow>(row.partner);
  return {
    ...common,
    extension: row.partner,
    partner: extension.partner,
    controller: extension.destination,
    becomes: {
      family: control.decode(extension.control).isSix ? 6 : 4,
      words: extension.new.addresses.word,
      ports: portsOf(extension.new.ports, key),
    },
    lease: leaseOf(maps, key, extension.lease_six),
  };
}

function leaseOf({ vocabulary }: Maps, { ports }: Tuple, row: LeaseRow): Lease | undefined {
  const { TEMPLATE_BIT, TEMPLATE_PARKED_BIT, TEMPLATE_CALL_ID_BIT } = vocabulary.numbers;
  const has = (bit: number): boolean => ((ports >> BigInt(bit)) & 1n) !== 0n;
  if (!has(TEMPLATE_BIT)) return undefined;
  const [isParked, hasCallId] = [has(TEMPLATE_PARKED_BIT), has(TEMPLATE_CALL_ID_BIT)];
  return { timeoutS: row.timeout_s, controlled: row.controlled, isParked, hasCallId };
}

function keyOf({ addresses, ports, six }: FlowRow, { isSix }: ControlWord): Tuple {
  return isSix ? { family: 6, words: six.addresses.word, ports: six.ports } : { family: 4, words: [addresses], ports };
}

/** With the key's protocol, which no method changes. */
function portsOf(low: number, { ports }: Tuple): bigint {
  return BigInt(low) | ((ports >> 32n) << 32n);
}
