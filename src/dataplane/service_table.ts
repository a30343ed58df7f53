// The services in force: one inner hash that service_tables refers to, changed in place or replaced as a whole.
import { decode, encode } from '../kernel/codec.ts';
import { BpfMap, mapType } from '../kernel/map.ts';
import { FairleadError } from '../model/error.ts';
import type { ServiceIdentity } from '../model/service.ts';
import { bucketCountOf } from './bucket-count.ts';
import type { ServiceRecord } from './live.ts';
import type { Maps } from './maps.ts';
import { decodeKey, encodeAddress, encodeKey, toAddress } from './wire.ts';

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

export function countServices(maps: Maps): number {
  using table = tableInForce(maps);
  let count = 0;
  for (const _ of table.entries()) count++;
  return count;
}

export function equalsRaw(a: RawTable, b: RawTable): boolean {
  return a.keys.equals(b.keys) && a.values.equals(b.values);
}

export function decodeEntries(maps: Maps, raw: RawTable): readonly Entry[] {
  const [key, value] = [maps.layouts.struct('service_key'), maps.layouts.struct('service')];
  return Array.from({ length: raw.keys.length / key.size }, (_, index) => ({
    identity: decodeKey(key, raw.keys.subarray(index * key.size)),
    record: toRecord(
      maps,
      decode(value, raw.values, index * value.size),
      raw.values.subarray(index * value.size + value.field('mask').offset),
      raw.keys.readUInt8(index * key.size + key.field('family').offset),
    ),
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

/** struct service. */
interface ServiceRow {
  readonly id: number;
  readonly scheduler: number;
  readonly members: number;
  readonly member_count: number;
  readonly buckets: number;
  readonly local_addresses: number;
  readonly local_address_count: number;
  readonly cross_address_count: number;
  readonly max_weight: number;
  readonly weight_step: number;
  readonly order: number;
  readonly flags: number;
  readonly persistence_s: number;
}

function toRecord({ vocabulary }: Maps, row: ServiceRow, mask: Buffer, family: number): ServiceRecord {
  const { numbers } = vocabulary;
  const isPersistent = (row.flags & numbers.SERVICE_PERSISTENT) !== 0;
  const scheduler = vocabulary.schedulers.name(row.scheduler);
  if (scheduler === undefined) throw new RangeError('a service of a scheduler that has no name');
  return {
    id: row.id,
    scheduler,
    members: { start: row.members, length: Math.max(row.member_count, 1) },
    memberCount: row.member_count,
    buckets: { start: row.buckets, length: bucketCountOf(scheduler, numbers) },
    localAddresses: { start: row.local_addresses, length: row.local_address_count + row.cross_address_count },
    crossAddressCount: row.cross_address_count,
    maxWeight: row.max_weight,
    weightStep: row.weight_step,
    order: row.order,
    settings: {
      flags: row.flags,
      persistence: isPersistent ? { timeoutS: row.persistence_s, mask: toAddress(mask, family) } : undefined,
    },
  };
}

function encodeRecord({ layouts, vocabulary }: Maps, record: ServiceRecord): Buffer {
  const row: ServiceRow = {
    id: record.id,
    scheduler: vocabulary.schedulers.number(record.scheduler),
    members: record.members.start,
    member_count: record.memberCount,
    buckets: record.buckets.start,
    local_addresses: record.localAddresses.start,
    local_address_count: record.localAddresses.length - record.crossAddressCount,
    cross_address_count: record.crossAddressCount,
    max_weight: record.maxWeight,
    weight_step: record.weightStep,
    order: record.order,
    flags: record.settings.flags,
    persistence_s: record.settings.persistence?.timeoutS ?? 0,
  };
  const layout = layouts.struct('service');
  const encoded = encode(layout, row);
  const { persistence } = record.settings;
  if (persistence !== undefined) encoded.set(encodeAddress(persistence.mask), layout.field('mask').offset);
  return encoded;
}
