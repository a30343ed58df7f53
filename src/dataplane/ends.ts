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

/** More are not looked up one by one. */
const fewEnds = 1000;

/** The same after a change: they are all asked only where another service may need what one needs no more, or where much is new. */
export function changeEnds(maps: Maps, { kept, written, removed }: Plan): void {
  const { numbers } = maps.vocabulary;
  const before = endsOf([...removed, ...written.flatMap(({ previous }) => previous ?? [])], numbers);
  const after = endsOf(written, numbers);
  if ([...before].some(([name, bits]) => ((after.get(name) ?? 0) & bits) !== bits)) {
    writeEnds(maps, [...kept, ...written]);
    return;
  }
  const more = [...after].filter(([name, bits]) => before.get(name) !== bits);
  if (more.length > fewEnds) {
    writeEnds(maps, [...kept, ...written]);
    return;
  }
  const ends = maps.map('ends');
  const values = more.map(([name, bits]) => bits | (ends.lookup(Buffer.from(name, 'latin1'))?.readUInt32LE(0) ?? 0));
  ends.updateBatch(Buffer.from(more.map(([name]) => name).join(''), 'latin1'), words(values), more.length);
}

/** Bits of enum end by the address's bytes, a letter each. */
function endsOf(
  services: Iterable<Service>,
  { END_TARGET, END_SOURCE }: { readonly END_TARGET: number; readonly END_SOURCE: number },
): Map<string, number> {
  const found = new Map<string, number>();
  const add = (address: Address, bit: number): void => {
    const name = Buffer.from(encodeAddress(address)).toString('latin1');
    found.set(name, (found.get(name) ?? 0) | bit);
  };
  for (const { identity, localAddresses, destinations } of services) {
    if (identity.kind === 'address') add(identity.vip, END_TARGET);
    for (const address of localAddresses) add(address, END_TARGET);
    for (const { rip, method } of destinations) if (method === 'masq' || method === 'fullnat') add(rip, END_SOURCE);
  }
  return found;
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
}
