// What must hold in a connection table at rest, whatever packets, timers and CPUs did to it. Anything else is told in words.
import { controlOf } from '../src/dataplane/control.ts';
import type { Maps } from '../src/dataplane/maps.ts';

/** How IPVS counts ActiveConn. */
const activeStates = ['ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'SYNACK'];
/** More would only repeat what the first ones say. */
const mostTold = 20;

interface Entry {
  readonly slot: number;
  readonly kind: string;
  readonly offset: number;
  readonly state: string | undefined;
  readonly method: string | undefined;
  readonly isInactive: boolean;
  readonly addresses: bigint;
  readonly ports: bigint;
  readonly newAddresses: bigint;
  readonly newPorts: bigint;
  readonly destination: number;
  readonly partner: number;
  readonly home: number;
}

export interface Census {
  readonly connections: number;
  readonly replies: number;
  readonly violations: readonly string[];
}

export function takeCensus(maps: Maps): Census {
  const entries = readEntries(maps);
  const violations = [
    ...places(maps, entries),
    ...keys(entries),
    ...partners(maps, entries),
    ...loads(maps, entries),
    ...pages(maps, entries),
  ];
  const count = (kind: string): number => [...entries.values()].filter((entry) => entry.kind === kind).length;
  return {
    connections: count('FLOW_LIVE'),
    replies: count('FLOW_REPLY'),
    violations: violations.slice(0, mostTold),
  };
}

/** Those that are neither free nor dead. */
function readEntries(maps: Maps): ReadonlyMap<number, Entry> {
  const flows = maps.rows('flows');
  const words = flows.number('control');
  const control = controlOf(maps.vocabulary.numbers);
  const kinds = new Map([...maps.vocabulary.flowKinds].map(([name, number]) => [number, name]));
  const home = homeOf(maps);
  const entries = new Map<number, Entry>();
  for (let slot = 0; slot < flows.length; slot++) {
    const word = control.decode(words.get(slot));
    const kind = kinds.get(word.kind) ?? 'unknown';
    if (kind === 'FLOW_FREE' || kind === 'FLOW_DEAD') continue;
    const [addresses, ports] = [flows.bigint('addresses').get(slot), flows.bigint('ports').get(slot)];
    entries.set(slot, {
      slot,
      kind,
      offset: word.offset,
      state: maps.vocabulary.states.name(word.state),
      method: maps.vocabulary.methods.name(word.method),
      isInactive: word.isInactive,
      addresses,
      ports,
      newAddresses: flows.bigint('new_addresses').get(slot),
      newPorts: BigInt(flows.number('new_ports').get(slot)),
      destination: flows.number('destination').get(slot),
      partner: flows.number('partner').get(slot),
      home: home(addresses, ports),
    });
  }
  return entries;
}

/** flow_home of bpf/flow.h. */
function homeOf(maps: Maps): (addresses: bigint, ports: bigint) => number {
  const { hash_seed: seed, flow_slots: slots } = maps.rows('instances').read<{
    readonly hash_seed: readonly [bigint, bigint];
    readonly flow_slots: number;
  }>(0);
  return (addresses, ports) => {
    let hash = BigInt.asUintN(64, (addresses ^ seed[0]) * 0x9e37_79b9_7f4a_7c15n);
    hash ^= hash >> 32n;
    hash = BigInt.asUintN(64, (hash ^ ports ^ seed[1]) * 0xd6e8_feb8_6659_fd93n);
    return Number(((hash >> 32n) * BigInt(slots)) >> 32n);
  };
}

/** Each entry is where its home's bits say, and the bits name nothing else. */
function* places(maps: Maps, entries: ReadonlyMap<number, Entry>): Generator<string> {
  const flows = maps.rows('flows');
  const windows = flows.bigint('home');
  const { FLOW_WINDOW } = maps.vocabulary.numbers;
  const placeOf = (home: number, offset: number): number => (home + (offset * (offset + 1)) / 2) % flows.length;
  for (const entry of entries.values()) {
    const { slot, kind, home, offset } = entry;
    if (kind !== 'FLOW_LIVE' && kind !== 'FLOW_REPLY') {
      yield `slot ${slot} rests in ${kind}`;
      continue;
    }
    if (placeOf(home, offset) !== slot) yield `slot ${slot} is not at offset ${offset} of its home ${home}`;
    if (((windows.get(home) >> BigInt(offset)) & 1n) === 0n) yield `slot ${slot} is not linked in its home ${home}`;
  }
  for (let home = 0; home < flows.length; home++) {
    const bits = Number(windows.get(home) & 0xffff_ffffn);
    for (let offset = 0; bits !== 0 && offset < FLOW_WINDOW; offset++) {
      if (((bits >>> offset) & 1) === 0) continue;
      const entry = entries.get(placeOf(home, offset));
      if (entry?.home !== home || entry.offset !== offset)
        yield `home ${home} links offset ${offset}, where no entry of it is`;
    }
  }
}

function* keys(entries: ReadonlyMap<number, Entry>): Generator<string> {
  const seen = new Map<string, number>();
  for (const { slot, addresses, ports } of entries.values()) {
    const key = `${addresses.toString(16)}/${ports.toString(16)}`;
    const other = seen.get(key);
    if (other !== undefined) yield `slots ${other} and ${slot} have the same key ${key}`;
    seen.set(key, slot);
  }
}

/** A translated connection and its replies name each other, and turn each other's packets round. */
function* partners(maps: Maps, entries: ReadonlyMap<number, Entry>): Generator<string> {
  for (const entry of entries.values()) {
    const { slot, kind, method, partner } = entry;
    const isTranslated = method === 'masq' || method === 'fullnat';
    if (!isTranslated) {
      if (kind !== 'FLOW_LIVE' || partner !== maps.vocabulary.numbers.NO_PARTNER)
        yield `slot ${slot}: ${kind} by ${method} with partner ${partner}`;
      continue;
    }
    const other = entries.get(partner);
    if (other === undefined || other.kind === kind || other.partner !== slot) {
      yield `slot ${slot}: ${kind} by ${method}, whose partner ${partner} is ${other?.kind} of ${other?.partner}`;
    } else if (
      other.newAddresses !== swapWords(entry.addresses) ||
      (other.newPorts & portsMask) !== swapPorts(entry.ports)
    ) {
      yield `slot ${slot} and its partner ${partner} do not turn each other's packets round`;
    } else if (other.destination !== entry.destination) {
      yield `slot ${slot} and its partner ${partner} have different destinations`;
    }
  }
}

const portsMask = 0xffff_ffffn;

function swapWords(addresses: bigint): bigint {
  return (addresses >> 32n) | ((addresses & 0xffff_ffffn) << 32n);
}

function swapPorts(ports: bigint): bigint {
  return ((ports >> 16n) & 0xffffn) | ((ports & 0xffffn) << 16n);
}

/** What destinations count is what entries there are. */
function* loads(maps: Maps, entries: ReadonlyMap<number, Entry>): Generator<string> {
  const destinations = maps.rows('destinations');
  const active = new Map<number, number>();
  const inactive = new Map<number, number>();
  for (const { slot, kind, state, isInactive, destination } of entries.values()) {
    if (kind !== 'FLOW_LIVE') continue;
    if (isInactive === activeStates.includes(state ?? '')) {
      yield `slot ${slot}: ${state} counts as ${isInactive ? 'inactive' : 'active'}`;
    }
    const counts = isInactive ? inactive : active;
    counts.set(destination, (counts.get(destination) ?? 0) + 1);
  }
  for (const [name, counts] of [
    ['active', active],
    ['inactive', inactive],
  ] as const) {
    const column = destinations.number(name);
    for (let index = 0; index < destinations.length; index++) {
      const expected = counts.get(index) ?? 0;
      if (column.get(index) !== expected) {
        yield `destination ${index} counts ${column.get(index) | 0} ${name} connections, there are ${expected}`;
      }
    }
  }
}

/** Sweeps and listings pass over pages without a bit. */
function* pages(maps: Maps, entries: ReadonlyMap<number, Entry>): Generator<string> {
  const words = maps.words('flow_pages');
  const { SLOTS_PER_PAGE, PAGES_PER_WORD } = maps.vocabulary.numbers;
  for (const { slot, kind } of entries.values()) {
    const page = Math.floor(slot / SLOTS_PER_PAGE);
    const word = words.get(Math.floor(page / PAGES_PER_WORD));
    if (kind === 'FLOW_LIVE' && ((word >> BigInt(page % PAGES_PER_WORD)) & 1n) === 0n)
      yield `slot ${slot}: its page has no bit`;
  }
}
