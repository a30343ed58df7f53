// The schedulers as a packet meets them, in plain TypeScript: they read the tables that src/schedule computes.
import type { Scheduler } from '../../src/model/service.ts';
import { maglevBucket } from '../../src/schedule/maglev.ts';

export interface Candidate {
  readonly name: string;
  weight: number;
  active: number;
  inactive: number;
  /** It has reached its upper threshold. */
  isFull?: boolean;
}

export interface Tables<Member extends Candidate = Candidate> {
  readonly scheduler: Scheduler;
  /** sh-fallback, mh-fallback: flag 1; sh-port, mh-port: flag 2. */
  readonly flags: number;
  /** Newest first. */
  readonly members: readonly Member[];
  readonly buckets: readonly number[];
  readonly maxWeight: number;
  readonly weightStep: number;
  cursor: bigint;
  /** lblc and lblcr: what an address was given before; newest first. */
  readonly cache: Map<number, Member[]>;
}

/** As numbers: of IPv6 the exclusive or of an address's four words. */
export interface Ends {
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
}

/** The destination for a new connection, undefined if none is to be had. */
export function choose<Member extends Candidate>(tables: Tables<Member>, ends: Ends): Member | undefined {
  switch (tables.scheduler) {
    case 'rr':
      return roundRobin(tables);
    case 'wrr':
      return weightedRoundRobin(tables);
    case 'lc':
      return least(tables.members, overhead, () => 1);
    case 'wlc':
      return least(tables.members, overhead);
    case 'sed':
      return least(tables.members, expectedDelay);
    case 'nq':
      return tables.members.find((one) => takes(one) && one.active === 0) ?? least(tables.members, expectedDelay);
    case 'sh':
      return fromBucket(tables, (offset) => (offset + hash(ends.source + portOf(tables, ends))) % 256);
    case 'dh':
      return fromBucket(tables, (offset) => (offset + hash(ends.destination)) % 256);
    case 'mh':
      return fromBucket(tables, (offset) => maglevBucket(ends.source, portOf(tables, ends) + offset, 4093));
    case 'lblc':
      return locality(tables, ends.destination, false);
    case 'lblcr':
      return locality(tables, ends.destination, true);
    case 'fo':
      return heaviest(tables.members);
    case 'ovf':
      return heaviest(tables.members.filter(({ active, weight }) => active <= weight));
    case 'none':
      return undefined;
    case 'twos':
      throw new Error('twos draws lots');
  }
}

function takes({ weight, isFull }: Candidate): boolean {
  return weight > 0 && !isFull;
}

function roundRobin<Member extends Candidate>(tables: Tables<Member>): Member | undefined {
  const { members } = tables;
  const start = Number(tables.cursor & 0xffffffffn);
  for (let step = 0; step < members.length; step++) {
    const position = (start + step) % members.length;
    const candidate = members[position];
    if (candidate === undefined || !takes(candidate)) continue;
    tables.cursor = BigInt(position + 1);
    return candidate;
  }
  return undefined;
}

function weightedRoundRobin<Member extends Candidate>(tables: Tables<Member>): Member | undefined {
  if (tables.maxWeight <= 0) return undefined;
  let position = Number(tables.cursor & 0xffffffffn);
  let currentWeight = Number(tables.cursor >> 32n);
  for (;;) {
    for (; position < tables.members.length; position++) {
      const candidate = tables.members[position];
      if (candidate === undefined || candidate.weight < currentWeight) continue;
      tables.cursor = (BigInt(currentWeight) << 32n) | BigInt(position + 1);
      return candidate;
    }
    position = 0;
    currentWeight -= tables.weightStep;
    if (currentWeight <= 0) currentWeight = tables.maxWeight;
  }
}

function overhead({ active, inactive }: Candidate): number {
  return active * 256 + inactive;
}

function expectedDelay({ active }: Candidate): number {
  return active + 1;
}

function least<Member extends Candidate>(
  members: readonly Member[],
  load: (candidate: Candidate) => number,
  weigh = (candidate: Candidate): number => candidate.weight,
): Member | undefined {
  let best: Member | undefined;
  for (const candidate of members.filter(takes)) {
    if (best === undefined || load(best) * weigh(candidate) > load(candidate) * weigh(best)) best = candidate;
  }
  return best;
}

function heaviest<Member extends Candidate>(members: readonly Member[]): Member | undefined {
  let best: Member | undefined;
  for (const candidate of members.filter(takes)) {
    if (best === undefined || candidate.weight > best.weight) best = candidate;
  }
  return best;
}

/** From the bucket that the client hashes to; with the flag, if nobody is to be had there, from those that follow. */
function fromBucket<Member extends Candidate>(
  tables: Tables<Member>,
  bucketOf: (offset: number) => number,
): Member | undefined {
  const { members, buckets, scheduler, flags } = tables;
  const at = (offset: number): Member | undefined => members[buckets[bucketOf(offset)] ?? -1];
  const own = at(0);
  if (own !== undefined && takes(own)) return own;
  if (scheduler === 'dh' || !(flags & 1)) return undefined;
  const start = bucketOf(0);
  const offsets = buckets.map((_, index) => (index + start) % buckets.length);
  return offsets.map(at).find((candidate) => candidate !== undefined && takes(candidate));
}

function portOf({ flags }: Tables, { sourcePort }: Ends): number {
  return flags & 2 ? sourcePort : 0;
}

/** The kernel's hash_32(word, 8). */
function hash(word: number): number {
  return Math.imul(word, 0x61c88647) >>> 24;
}

function locality<Member extends Candidate>(
  tables: Tables<Member>,
  address: number,
  isReplicated: boolean,
): Member | undefined {
  const known = tables.cache.get(address) ?? [];
  const cached = least(known, overhead);
  if (cached !== undefined && !isOverloaded(cached, tables.members)) return cached;
  const chosen = least(tables.members, overhead);
  if (chosen === undefined) return undefined;
  const others = known.filter((candidate) => candidate !== chosen);
  tables.cache.set(address, isReplicated && others.length > 0 ? [chosen, ...others] : [chosen]);
  return chosen;
}

function isOverloaded(candidate: Candidate, members: readonly Candidate[]): boolean {
  return candidate.active > candidate.weight && members.some(({ active, weight }) => 2 * active < weight);
}
