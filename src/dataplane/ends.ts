// Whose packets may be of connections: by these addresses a fragment without its first one is told from others.
import type { Address } from '../model/address.ts';
import type { Service } from '../model/service.ts';
import type { Maps } from './maps.ts';
import type { Plan } from './plan.ts';
import { encodeAddress } from './wire.ts';

/** Makes the map what these services need, and touches nothing else. */
export function writeEnds(maps: Maps, services: Iterable<Service>): void {
  const wanted = endsOf(services, maps.vocabulary.numbers);
  const ends = maps.map('ends');
  for (const [key, value] of [...ends.entries()]) {
    const name = key.toString('latin1');
    if (!wanted.has(name)) ends.delete(key);
    else if (wanted.get(name) === value.readUInt32LE(0)) wanted.delete(name);
  }
  const keys = Buffer.from([...wanted.keys()].join(''), 'latin1');
  ends.updateBatch(keys, words([...wanted.values()]), wanted.size);
}

/** The same after a change, without reading the map: of what is other than before, other services may need some as well. */
export function changeEnds(maps: Maps, { kept, written, removed }: Plan): void {
  const { numbers } = maps.vocabulary;
  const before = endsOf([...removed, ...written.flatMap(({ previous }) => previous ?? [])], numbers);
  const after = endsOf(written, numbers);
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => before.get(name) !== after.get(name));
  const others = endsOf(kept, numbers, new Set(changed));
  const bitsOf = (name: string): number => (after.get(name) ?? 0) | (others.get(name) ?? 0);
  const ends = maps.map('ends');
  const needed = changed.filter((name) => bitsOf(name) !== 0);
  ends.updateBatch(Buffer.from(needed.join(''), 'latin1'), words(needed.map(bitsOf)), needed.length);
  for (const name of changed) if (bitsOf(name) === 0) ends.delete(Buffer.from(name, 'latin1'));
}

/** Bits of enum end by the address's bytes, a letter each; of these alone, where some are named. */
function endsOf(
  services: Iterable<Service>,
  { END_TARGET, END_SOURCE }: { readonly END_TARGET: number; readonly END_SOURCE: number },
  only?: ReadonlySet<string>,
): Map<string, number> {
  const found = new Map<string, number>();
  if (only?.size === 0) return found;
  // Of 100,000 addresses few are meant: only those that look like one are named.
  const sums = only && new Set(Array.from(only, (name) => sumOf(Buffer.from(name, 'latin1'))));
  const add = (address: Address, bit: number): void => {
    if (sums?.has(sumOf(address.bytes)) === false) return;
    const name = Buffer.from(encodeAddress(address)).toString('latin1');
    if (only?.has(name) !== false) found.set(name, (found.get(name) ?? 0) | bit);
  };
  for (const { identity, localAddresses, destinations } of services) {
    if (identity.kind === 'address') add(identity.vip, END_TARGET);
    for (const address of localAddresses) add(address, END_TARGET);
    for (const { rip, method } of destinations) if (method === 'masq' || method === 'fullnat') add(rip, END_SOURCE);
  }
  return found;
}

/** Of its words. The same of an address and of its bytes in the map, where zeros stand behind them. */
function sumOf(bytes: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++) sum = (sum + ((bytes[index] ?? 0) << ((index % 4) * 8))) | 0;
  return sum;
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
}
