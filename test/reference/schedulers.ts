// The ten schedulers as a packet meets them, in plain TypeScript: they read the tables that src/schedule computes.
import type { Scheduler } from '../../src/model/service.ts';

export interface Candidate {
  readonly name: string;
  weight: number;
  active: number;
  inactive: number;
}

export interface Tables {
  readonly scheduler: Scheduler;
  /** Newest first. */
  readonly members: readonly Candidate[];
  readonly buckets: readonly number[];
  readonly maxWeight: number;
  readonly weightStep: number;
  cursor: bigint;
  /** lblc and lblcr: what an address was given before; newest first. */
  readonly cache: Map<number, Candidate[]>;
}

export interface Addresses {
  readonly source: number;
  readonly destination: number;
}

/** The destination for a new connection, undefined if none is to be had. */
export function choose(tables: Tables, addresses: Addresses): Candidate | undefined {
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
      return (
        tables.members.find(({ weight, active }) => weight > 0 && active === 0) ?? least(tables.members, expectedDelay)
      );
    case 'sh':
      return fromBucket(tables, addresses.source);
    case 'dh':
      return fromBucket(tables, addresses.destination);
    case 'lblc':
      return locality(tables, addresses.destination, false);
    case 'lblcr':
      return locality(tables, addresses.destination, true);
  }
}

function roundRobin(tables: Tables): Candidate | undefined {
  const { members } = tables;
  const start = Number(tables.cursor & 0xffffffffn);
  for (let step = 0; step < members.length; step++) {
    const position = (start + step) % members.length;
    const candidate = members[position];
    if (candidate === undefined || candidate.weight <= 0) continue;
    tables.cursor = BigInt(position + 1);
    return candidate;
  }
  return undefined;
}

function weightedRoundRobin(tables: Tables): Candidate | undefined {
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

function least(
  members: readonly Candidate[],
  load: (candidate: Candidate) => number,
  weigh = (candidate: Candidate): number => candidate.weight,
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of members) {
    if (candidate.weight <= 0) continue;
    if (best === undefined || load(best) * weigh(candidate) > load(candidate) * weigh(best)) best = candidate;
  }
  return best;
}

function fromBucket({ buckets, members }: Tables, address: number): Candidate | undefined {
  const candidate = members[buckets[bucketOf(address)] ?? -1];
  return candidate !== undefined && candidate.weight > 0 ? candidate : undefined;
}

/** The kernel's hash_32(address, 8). */
export function bucketOf(address: number): number {
  return Math.imul(address, 0x61c88647) >>> 24;
}

function locality(tables: Tables, address: number, isReplicated: boolean): Candidate | undefined {
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
