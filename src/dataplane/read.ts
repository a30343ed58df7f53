// Reads the table in force out of the maps.
import { be16 } from '../kernel/codec.ts';
import { type Address, otherFamily } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import { serviceFamily } from '../model/table.ts';
import { type LiveDestination, type LiveService, type LiveTable, withOptions } from './live.ts';
import type { Maps } from './maps.ts';
import { once } from './once.ts';
import type { Region } from './regions.ts';
import { decodeEntries, type Entry, equalsRaw, readRaw } from './service_table.ts';
import { serviceOf } from './service-flags.ts';
import { isBeingChanged, tableVersion } from './table-version.ts';
import { decodeTunnel } from './tunnel.ts';
import { toAddress } from './wire.ts';

const attempts = 100;
/** What was read last, or how what a change left is read, if anybody asks; and what the version was then. */
const known = new WeakMap<Maps, { readonly version: number; readonly live: () => LiveTable }>();

/** A service that is as it was when it was read last is the same object. Needs no lock. */
export function readLive(maps: Maps): LiveTable {
  const version = tableVersion(maps);
  const last = known.get(maps);
  if (last?.version === version) {
    const live = attempt(last.live);
    if (version === tableVersion(maps)) return expectWhole(live);
  }
  const live = readAll(maps);
  if (version === tableVersion(maps)) remember(maps, () => live);
  return live;
}

/** After a change by this process, under the instance's lock. What is written is read: it is as others find it. */
export function rememberChange(maps: Maps, kept: readonly LiveService[], written: readonly LiveService[]): void {
  const entries = written.map(({ identity, record }) => ({ identity, record }));
  remember(
    maps,
    once(() => inOrder([...kept, ...entries.map((entry) => toService(maps, entry))])),
  );
}

function remember(maps: Maps, live: () => LiveTable): void {
  const version = tableVersion(maps);
  if (!isBeingChanged(version)) known.set(maps, { version, live });
}

function inOrder(services: LiveService[]): LiveTable {
  return { services: services.sort((a, b) => a.record.order - b.record.order) };
}

/** What the table in force refers to is never written to, so it is right if the table is still the same after. */
function readAll(maps: Maps): LiveTable {
  let before = readRaw(maps);
  for (let round = 0; round < attempts; round++) {
    const raw = before;
    const read = attempt(() => decodeEntries(maps, raw).map((entry) => toService(maps, entry)));
    const after = readRaw(maps);
    if (equalsRaw(before, after)) return inOrder(expectWhole(read));
    before = after;
  }
  throw new FairleadError(
    'kernel',
    `${maps.directory}: the table of services changed while it was read, ${attempts} times`,
  );
}

/** A table that changes meanwhile may make no sense at all. */
function attempt<T>(read: () => T): T | RangeError {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}

function expectWhole<T>(read: T | RangeError): T {
  if (read instanceof RangeError) throw read;
  return read;
}

function toService(maps: Maps, { identity, record }: Entry): LiveService {
  const own = serviceFamily(identity);
  const { start, length } = record.localAddresses;
  const firstOfOther = start + length - record.crossAddressCount;
  return {
    identity,
    scheduler: record.scheduler,
    ...serviceOf(record.scheduler, record.settings, maps.vocabulary.numbers),
    record,
    localAddresses: readRegion(record.localAddresses, (at) =>
      toAddress(maps.rows('local_addresses').bytes('word').get(at), at < firstOfOther ? own : otherFamily(own)),
    ),
    destinations: readRegion({ ...record.members, length: record.memberCount }, (at) => toDestination(maps, at)),
  };
}

function toDestination(maps: Maps, member: number): LiveDestination {
  const members = maps.rows('members');
  const slot = members.number('destination').get(member);
  const method = maps.vocabulary.methods.name(members.number('method').get(member));
  if (method === undefined) throw new RangeError('a destination of a method that has no name');
  const { rip, port } = readEndpoint(maps, slot);
  const weight = members.number('weight').get(member);
  const lastWeight = members.number('last_weight').get(member);
  return withOptions(
    { rip, port, method, weight, slot, lastWeight },
    {
      askedPort: be16(maps.rows('destinations').number('asked_port').get(slot)) || undefined,
      upperThreshold: members.number('upper_threshold').get(member) || undefined,
      lowerThreshold: members.number('lower_threshold').get(member) || undefined,
      tunnel: decodeTunnel(members.number('tunnel').get(member), maps.vocabulary.numbers),
    },
  );
}

/** The real server of a slot. */
export function readEndpoint(maps: Maps, slot: number): { readonly rip: Address; readonly port: number } {
  const destinations = maps.rows('destinations');
  const family = destinations.number('family').get(slot);
  return {
    rip: toAddress(destinations.bytes('rip').get(slot), family),
    port: be16(destinations.number('port').get(slot)),
  };
}

function readRegion<T>({ start, length }: Region, read: (at: number) => T): readonly T[] {
  return Array.from({ length }, (_, index) => read(start + index));
}
