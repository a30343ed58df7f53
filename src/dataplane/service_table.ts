// The services in force: one inner hash that service_tables refers to, changed in place or replaced as a whole.
import { encode } from '../kernel/codec.ts';
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import { FairleadError } from '../model/error.ts';
import type { ServiceIdentity } from '../model/service.ts';
import { usesBuckets } from '../schedule/buckets.ts';
import type { ServiceRecord } from './live.ts';
import { bucketCount, type Maps } from './maps.ts';
import { type Rows, rows } from './rows.ts';
import { encodeKey, toIdentity } from './wire.ts';

export interface Entry {
  readonly identity: ServiceIdentity;
  readonly record: ServiceRecord;
}

const zero = Buffer.alloc(4);
const minimumEntries = 64;

/** The table's whole content, keys and values one after another: equal bytes, equal table. */
export interface RawTable {
  readonly keys: Buffer;
  readonly values: Buffer;
}

export function readRaw(maps: Maps): RawTable {
  using table = tableInForce(maps);
  const entries = [...table.entries()];
  return { keys: Buffer.concat(entries.map(([key]) => key)), values: Buffer.concat(entries.map(([, value]) => value)) };
}

export function equalsRaw(a: RawTable, b: RawTable): boolean {
  return a.keys.equals(b.keys) && a.values.equals(b.values);
}

export function decodeEntries(maps: Maps, raw: RawTable): readonly Entry[] {
  const packed = (tag: string, bytes: Buffer): Rows => {
    const layout = maps.layouts.struct(tag);
    return rows(layout, bytes, layout.size);
  };
  const keys = packed('service_key', raw.keys);
  const values = packed('service', raw.values);
  return Array.from({ length: keys.length }, (_, index) => ({
    identity: toIdentity(keys, index),
    record: toRecord(maps, values, index),
  }));
}

/** Makes one service what it shall be: readers see the old or the new. False when the table in force can't hold `count`. */
export function putInPlace(maps: Maps, { identity, record }: Entry, count: number): boolean {
  using table = tableInForce(maps);
  if (count > table.info.maxEntries) return false;
  table.update(encodeKey(maps.layouts.struct('service_key'), identity), encodeRecord(maps, record));
  return true;
}

export function removeInPlace(maps: Maps, identity: ServiceIdentity): void {
  using table = tableInForce(maps);
  table.delete(encodeKey(maps.layouts.struct('service_key'), identity));
}

/** Puts a new table in force. Returns when no packet can see the old one any more. */
export function replaceTable(maps: Maps, entries: readonly Entry[]): void {
  using table = createTable(maps, entries.length);
  const keyLayout = maps.layouts.struct('service_key');
  const keys = Buffer.concat(entries.map(({ identity }) => encodeKey(keyLayout, identity)));
  const values = Buffer.concat(entries.map(({ record }) => encodeRecord(maps, record)));
  table.updateBatch(keys, values, entries.length);
  putInForce(maps, table);
}

/** Returns when no packet can still be using what it read of the table before: the kernel waits for them at every update. */
export function waitForPackets(maps: Maps): void {
  using table = tableInForce(maps);
  putInForce(maps, table);
}

export function createTable({ layouts }: Pick<Maps, 'layouts'>, services: number): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: 'service_table',
    keySize: layouts.struct('service_key').size,
    valueSize: layouts.struct('service').size,
    maxEntries: Math.max(minimumEntries, services * 2),
    flags: mapFlag.noPrealloc,
  });
}

export function putInForce(maps: Maps, table: BpfMap): void {
  const fd = Buffer.alloc(4);
  fd.writeUInt32LE(table.fd);
  maps.map('service_tables').update(zero, fd);
}

function tableInForce(maps: Maps): BpfMap {
  // Between reading the id and opening it, another process may have replaced the table.
  for (let attempt = 0; attempt < 100; attempt++) {
    const id = maps.map('service_tables').lookup(zero)?.readUInt32LE(0);
    const table = id === undefined ? undefined : BpfMap.openById(id);
    if (table !== undefined) return table;
  }
  throw new FairleadError('not-attached', `${maps.directory}: there is no table of services`);
}

function toRecord({ vocabulary }: Maps, services: Rows, index: number): ServiceRecord {
  const of = (member: string): number => services.number(member).get(index);
  const scheduler = vocabulary.schedulers.name(of('scheduler'));
  if (scheduler === undefined) throw new RangeError('a service of a scheduler that has no name');
  return {
    id: of('id'),
    scheduler,
    members: { start: of('members'), length: Math.max(of('member_count'), 1) },
    memberCount: of('member_count'),
    buckets: { start: of('buckets'), length: usesBuckets(scheduler) ? bucketCount : 0 },
    localAddresses: { start: of('local_addresses'), length: of('local_address_count') },
    maxWeight: of('max_weight'),
    weightStep: of('weight_step'),
    order: of('order'),
  };
}

function encodeRecord({ layouts, vocabulary }: Maps, record: ServiceRecord): Buffer {
  return encode(layouts.struct('service'), {
    id: record.id,
    scheduler: vocabulary.schedulers.number(record.scheduler),
    members: record.members.start,
    member_count: record.memberCount,
    buckets: record.buckets.start,
    local_addresses: record.localAddresses.start,
    local_address_count: record.localAddresses.length,
    max_weight: record.maxWeight,
    weight_step: record.weightStep,
    order: record.order,
  });
}
