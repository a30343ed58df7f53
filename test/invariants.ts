// What must hold in a connection table at rest, whatever packets, timers and CPUs did to it. Anything else is told in words.
import { controlOf } from '../src/dataplane/control.ts';
import { type Entry, readEntry } from '../src/dataplane/entries.ts';
import type { Maps } from '../src/dataplane/maps.ts';
import { readLive } from '../src/dataplane/read.ts';
import type { Tuple } from '../src/dataplane/wire.ts';
import type { Scheduler } from '../src/model/service.ts';

/** How IPVS counts ActiveConn. */
const activeStates = ['ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'SYNACK', 'SCTP_ESTABLISHED'];
/** More would only repeat what the first ones say. */
const mostTold = 20;

interface Held {
  readonly slot: number;
  readonly kind: string;
  readonly state: string | undefined;
  readonly method: string | undefined;
  readonly entry: Entry;
  readonly home: number;
}

export interface Census {
  readonly connections: number;
  readonly replies: number;
  /** Left out when there are none. */
  readonly templates?: number;
  readonly violations: readonly string[];
}

export function takeCensus(maps: Maps): Census {
  const [entries, spare] = readEntries(maps);
  const violations = [
    ...extensions(entries, spare),
    ...places(maps, entries),
    ...keys(entries),
    ...partners(maps, entries),
    ...loads(maps, entries),
    ...blocks(maps),
    ...templates(maps, entries),
    ...pages(maps, entries),
  ];
  const count = (kind: string): number => [...entries.values()].filter((entry) => entry.kind === kind).length;
  const held = [...entries.values()].filter(({ entry }) => entry.lease !== undefined).length;
  return {
    connections: count('FLOW_LIVE') - held,
    ...(held === 0 ? {} : { templates: held }),
    replies: count('FLOW_REPLY'),
    violations: violations.slice(0, mostTold),
  };
}

/** Those that are neither free nor dead, and the slots that are extensions. */
function readEntries(maps: Maps): readonly [ReadonlyMap<number, Held>, ReadonlySet<number>] {
  const { length } = maps.rows('flows');
  const words = maps.rows('flows').number('control');
  const control = controlOf(maps.vocabulary.numbers);
  const kinds = new Map([...maps.vocabulary.flowKinds].map(([name, number]) => [number, name]));
  const home = homeOf(maps);
  const entries = new Map<number, Held>();
  const spare = new Set<number>();
  for (let slot = 0; slot < length; slot++) {
    const kind = kinds.get(control.kind(words.get(slot))) ?? 'unknown';
    if (kind === 'FLOW_FREE' || kind === 'FLOW_DEAD') continue;
    if (kind === 'FLOW_EXTENSION') {
      spare.add(slot);
      continue;
    }
    const entry = readEntry(maps, control, slot);
    const state = maps.vocabulary.states.name(entry.state);
    const method = maps.vocabulary.methods.name(entry.method);
    const own = entry.lease?.isParked ? homeOfPlace(maps, entry) : home(entry.key);
    entries.set(slot, { slot, kind, state, method, entry, home: own });
  }
  return [entries, spare];
}

/** home_of of bpf/flow.h: a parked template is where its former key has its home. */
function homeOfPlace(maps: Maps, { slot, offset }: Entry): number {
  const { flow_slots: slots } = maps.instance;
  return (slot - (offset * (offset + 1)) / 2 + slots) % slots;
}

/** flow_home of bpf/flow.h. */
function homeOf(maps: Maps): (key: Tuple) => number {
  const {
    hash_seed: seed,
    pair_keys: keys,
    flow_slots: slots,
  } = maps.rows('instances').read<{
    readonly hash_seed: readonly [bigint, bigint];
    readonly pair_keys: readonly bigint[];
    readonly flow_slots: number;
  }>(0);
  const mix = (hash: bigint): bigint => {
    const product = BigInt.asUintN(64, hash * 0x9e37_79b9_7f4a_7c15n);
    return product ^ (product >> 32n);
  };
  const half = (one: bigint, other: bigint): bigint => BigInt.asUintN(32, one + other);
  const pair = (word: bigint, key: bigint): bigint => half(word, key) * half(word >> 32n, key >> 32n);
  const mixAll = (family: number, [first = 0n, ...others]: readonly bigint[]): bigint =>
    (family === 6 ? others : []).reduce((hash, word) => mix(hash ^ word), mix(first ^ seed[0]));
  return ({ family, words, ports }) => {
    const isPaired = family === 6 && keys[0] !== 0n;
    const sum = isPaired
      ? words.reduce((all, word, index) => all + pair(word, keys[index] ?? 0n), 0n)
      : mixAll(family, words);
    const hash = BigInt.asUintN(64, (BigInt.asUintN(64, sum) ^ ports ^ seed[1]) * 0xd6e8_feb8_6659_fd93n);
    return Number(((hash >> 32n) * BigInt(slots)) >> 32n);
  };
}

/** Each extended entry has one of its own, and none is nobody's. */
function* extensions(entries: ReadonlyMap<number, Held>, spare: ReadonlySet<number>): Generator<string> {
  const owners = new Map<number, number>();
  for (const { slot, entry } of entries.values()) {
    const { extension, isExtended } = entry;
    if (!isExtended) continue;
    const other = extension === undefined ? undefined : owners.get(extension);
    if (extension === undefined || !spare.has(extension)) yield `slot ${slot}: its extension ${extension} is none`;
    else if (other !== undefined) yield `slots ${other} and ${slot} have the same extension ${extension}`;
    else owners.set(extension, slot);
  }
  for (const slot of spare) if (!owners.has(slot)) yield `slot ${slot} is an extension of nothing`;
}

/** Each entry is where its home's bits say, and the bits name nothing else. */
function* places(maps: Maps, entries: ReadonlyMap<number, Held>): Generator<string> {
  const flows = maps.rows('flows');
  const windows = flows.bigint('home');
  const { FLOW_WINDOW } = maps.vocabulary.numbers;
  const placeOf = (home: number, offset: number): number => (home + (offset * (offset + 1)) / 2) % flows.length;
  for (const { slot, kind, home, entry } of entries.values()) {
    const { offset } = entry;
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
      const held = entries.get(placeOf(home, offset));
      if (held?.home !== home || held.entry.offset !== offset)
        yield `home ${home} links offset ${offset}, where no entry of it is`;
    }
  }
}

function* keys(entries: ReadonlyMap<number, Held>): Generator<string> {
  const seen = new Map<string, number>();
  for (const { slot, entry } of entries.values()) {
    if (entry.lease?.isParked) continue;
    const key = textOf(entry.key);
    const other = seen.get(key);
    if (other !== undefined) yield `slots ${other} and ${slot} have the same key ${key}`;
    seen.set(key, slot);
  }
}

function textOf({ family, words, ports }: Tuple): string {
  const used = words.slice(0, family === 4 ? 1 : 4);
  return `${family}: ${[...used, ports].map((word) => word.toString(16)).join('/')}`;
}

/** A translated connection and its replies name each other, and turn each other's packets round. */
function* partners(maps: Maps, entries: ReadonlyMap<number, Held>): Generator<string> {
  for (const { slot, kind, method, entry } of entries.values()) {
    const { partner } = entry;
    const isTranslated = entry.lease === undefined && (method === 'masq' || method === 'fullnat');
    if (!isTranslated) {
      if (kind !== 'FLOW_LIVE' || partner !== maps.vocabulary.numbers.NO_PARTNER)
        yield `slot ${slot}: ${kind} by ${method} with partner ${partner}`;
      continue;
    }
    const other = entries.get(partner);
    if (other === undefined || other.kind === kind || other.entry.partner !== slot) {
      yield `slot ${slot}: ${kind} by ${method}, whose partner ${partner} is ${other?.kind} of ${other?.entry.partner}`;
    } else if (textOf(other.entry.becomes) !== textOf(turned(entry.key))) {
      yield `slot ${slot} and its partner ${partner} do not turn each other's packets round`;
    } else if (other.entry.destination !== entry.destination) {
      yield `slot ${slot} and its partner ${partner} have different destinations`;
    }
  }
}

function turned({ family, words: [a = 0n, b = 0n, c = 0n, d = 0n], ports }: Tuple): Tuple {
  const words = family === 4 ? [(a >> 32n) | ((a & 0xffff_ffffn) << 32n)] : [c, d, a, b];
  const low = ((ports >> 16n) & 0xffffn) | ((ports & 0xffffn) << 16n);
  return { family, words, ports: ((ports >> 32n) << 32n) | low };
}

/** What destinations count is what entries there are. */
function* loads(maps: Maps, entries: ReadonlyMap<number, Held>): Generator<string> {
  const destinations = maps.rows('destinations');
  const active = new Map<number, number>();
  const inactive = new Map<number, number>();
  const persistent = new Map<number, number>();
  for (const { slot, kind, state, entry } of entries.values()) {
    const { isInactive, destination, lease } = entry;
    if (kind !== 'FLOW_LIVE') continue;
    if (lease !== undefined) {
      persistent.set(destination, (persistent.get(destination) ?? 0) + 1);
      continue;
    }
    if (isInactive === activeStates.includes(state ?? '')) {
      yield `slot ${slot}: ${state} counts as ${isInactive ? 'inactive' : 'active'}`;
    }
    const counts = isInactive ? inactive : active;
    counts.set(destination, (counts.get(destination) ?? 0) + 1);
  }
  for (const [name, counts] of [
    ['active', active],
    ['inactive', inactive],
    ['persistent', persistent],
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

/** What is remembered of a block is so. */
function* blocks(maps: Maps): Generator<string> {
  const { BLOCK_MEMBERS, BLOCK_CHANGED } = maps.vocabulary.numbers;
  const remembered = maps.rows('members').number('lightest');
  for (const { record, destinations } of readLive(maps).services) {
    for (let first = 0; destinations.length > BLOCK_MEMBERS && first < destinations.length; first += BLOCK_MEMBERS) {
      const told = remembered.get(record.members.start + first);
      if (told === BLOCK_CHANGED) continue;
      const block = destinations.slice(first, first + BLOCK_MEMBERS).map(({ slot, weight }) => ({ slot, weight }));
      const expected = toldOf(maps, record.scheduler, block);
      if (told !== expected)
        yield `service ${record.id}: of the block from ${first} on ${told} is remembered, not ${expected}`;
    }
  }
}

interface Weighed {
  readonly slot: number;
  readonly weight: number;
}

function toldOf(maps: Maps, scheduler: Scheduler, block: readonly Weighed[]): number {
  const { BLOCK_NOBODY, BLOCK_FIRST, BLOCK_BUSY } = maps.vocabulary.numbers;
  const column = (name: string, slot: number): number => maps.rows('destinations').number(name).get(slot);
  if (scheduler === 'twos') {
    const taking = block.filter(({ slot }) => column('overloaded', slot) === 0);
    return taking.reduce((sum, { weight }) => sum + weight, BLOCK_NOBODY);
  }
  const preferred = preferredBy(maps, scheduler, block);
  const hasSpare = block.some(({ slot, weight }) => column('active', slot) * 2 < weight);
  const isBusy = (scheduler === 'lblc' || scheduler === 'lblcr') && !hasSpare;
  return (preferred === undefined ? BLOCK_NOBODY : BLOCK_FIRST + preferred) + (isBusy ? BLOCK_BUSY : 0);
}

/** The position of the one that the scheduler chooses, as ip_vs_lc.c and the like look through them all. */
export function preferredBy(maps: Maps, scheduler: Scheduler, members: readonly Weighed[]): number | undefined {
  const column = (name: string, slot: number): number => maps.rows('destinations').number(name).get(slot);
  const isByActive = scheduler === 'sed' || scheduler === 'nq';
  const isByWeight = scheduler === 'fo' || scheduler === 'ovf';
  let best: { readonly position: number; readonly load: number; readonly weight: number } | undefined;
  for (const [position, { slot, weight }] of members.entries()) {
    if (weight === 0 || column('overloaded', slot) !== 0) continue;
    const active = column('active', slot);
    if (scheduler === 'nq' && active === 0) return position;
    if (scheduler === 'ovf' && active > weight) continue;
    const load = isByActive ? active + 1 : active * 256 + column('inactive', slot);
    const isBetter =
      best === undefined ||
      (isByWeight && weight > best.weight) ||
      (scheduler === 'lc' && load < best.load) ||
      (!isByWeight && scheduler !== 'lc' && load * best.weight < best.load * weight);
    if (isBetter) best = { position, load, weight };
  }
  return best?.position;
}

/** Each template counts the connections that hold it, and nothing else is held. */
function* templates(maps: Maps, entries: ReadonlyMap<number, Held>): Generator<string> {
  const { NO_SLOT } = maps.vocabulary.numbers;
  const holders = new Map<number, number>();
  for (const { slot, kind, entry } of entries.values()) {
    if (kind !== 'FLOW_LIVE' || entry.controller === NO_SLOT) continue;
    if (entries.get(entry.controller)?.entry.lease === undefined)
      yield `slot ${slot} came by ${entry.controller}, which is no template`;
    holders.set(entry.controller, (holders.get(entry.controller) ?? 0) + 1);
  }
  for (const { slot, entry } of entries.values()) {
    if (entry.lease !== undefined && entry.lease.controlled !== (holders.get(slot) ?? 0))
      yield `template ${slot} counts ${entry.lease.controlled | 0} connections, there are ${holders.get(slot) ?? 0}`;
  }
}

/** Sweeps and listings pass over pages without a bit. */
function* pages(maps: Maps, entries: ReadonlyMap<number, Held>): Generator<string> {
  const words = maps.words('flow_pages');
  const { SLOTS_PER_PAGE, PAGES_PER_WORD } = maps.vocabulary.numbers;
  for (const { slot, kind } of entries.values()) {
    const page = Math.floor(slot / SLOTS_PER_PAGE);
    const word = words.get(Math.floor(page / PAGES_PER_WORD));
    if (kind === 'FLOW_LIVE' && ((word >> BigInt(page % PAGES_PER_WORD)) & 1n) === 0n)
      yield `slot ${slot}: its page has no bit`;
  }
}
