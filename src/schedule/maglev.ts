// The table of mh: which of a service's destinations, by position in its list, owns each bucket (ip_vs_mh.c).
import type { Address } from '../model/address.ts';
import { greatestCommonDivisor } from './descent.ts';
import { siphash } from './siphash.ts';

/** What mh looks at. */
export interface Preference {
  readonly rip: Address;
  readonly port: number;
  /** Its last one that was not 0: a destination of weight 0 keeps its buckets, and whoever hashes there is refused. */
  readonly lastWeight: number;
}

/** Of the kernel's hsiphash, both words of a key being the same. The first is also what clients are hashed by. */
const offsetKey = 2654435761;
const skipKey = 2654446892;
/** IP_VS_MH_TAB_BITS: weights are taken down to so many bits. */
const turnBits = 6;

/** Positions in list order; empty when no destination ever weighed anything. `size` is prime. */
export function maglevOf(family: 4 | 6, destinations: readonly Preference[], size: number): readonly number[] {
  const turns = turnsOf(destinations.map(({ lastWeight }) => lastWeight));
  if (turns.every((turn) => turn === 0)) return [];
  const buckets = new Array<number>(size).fill(-1);
  const seekers = destinations.map((destination) => seekerOf(hashedBy(family, destination), size));
  let filled = 0;
  while (filled < size) {
    for (const [position, turn] of turns.entries()) {
      for (let taken = 0; taken < turn && filled < size; taken++, filled++) {
        const bucket = seekers[position]?.next(buckets) ?? 0;
        buckets[bucket] = position;
      }
    }
  }
  return buckets;
}

/** How many buckets each destination takes when its turn comes. */
function turnsOf(weights: readonly number[]): readonly number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return weights;
  const largest = Math.floor(Math.max(...weights) / divisor);
  const shift = Math.max(32 - Math.clz32(largest) - turnBits, 0);
  return weights.map((weight) => Math.floor(weight / divisor) >> shift || Number(weight !== 0));
}

/** Goes through all buckets in an order of its own, stopping at those that nobody has. */
function seekerOf(word: number, size: number): { next(buckets: readonly number[]): number } {
  let bucket = siphash(word, offsetKey) % size;
  const skip = (siphash(word, skipKey) % (size - 1)) + 1;
  return {
    next(buckets) {
      while (buckets[bucket] !== -1) bucket = (bucket + skip) % size;
      return bucket;
    },
  };
}

/** In a service of IPv4 the first word of an address, in one of IPv6 all words' exclusive or. */
function hashedBy(family: 4 | 6, { rip, port }: Preference): number {
  const bytes = Buffer.from(rip.bytes);
  let word = bytes.readUInt32BE(0);
  for (let at = 4; family === 6 && at < bytes.length; at += 4) word ^= bytes.readUInt32BE(at);
  return (word + port) >>> 0;
}

/** The bucket of a client. `port` is 0 unless the service has mh-port. */
export function maglevBucket(word: number, port: number, size: number): number {
  return siphash((word + port) >>> 0, offsetKey) % size;
}
