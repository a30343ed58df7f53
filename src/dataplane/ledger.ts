// Counters as users see them: what packets counted, plus an offset that remembers deleted destinations and the last zero.
import { decode, encode } from '../kernel/codec.ts';
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import type { Counters, Rates } from '../model/director.ts';
import type { LiveDestination, LiveService } from './live.ts';
import type { Maps } from './maps.ts';

/** struct counters. */
interface CountersRow {
  readonly connections: bigint;
  readonly in_packets: bigint;
  readonly in_bytes: bigint;
  readonly out_packets: bigint;
  readonly out_bytes: bigint;
}

/** Modulo 2^64: an offset below zero is a large number. */
export const nothing: Counters = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

export function plus(a: Counters, b: Counters): Counters {
  return combine(a, b, (x, y) => x + y);
}

export function minus(a: Counters, b: Counters): Counters {
  return combine(a, b, (x, y) => x - y);
}

function combine(a: Counters, b: Counters, operation: (x: bigint, y: bigint) => bigint): Counters {
  const wrap = (x: bigint, y: bigint): bigint => BigInt.asUintN(64, operation(x, y));
  return {
    connections: wrap(a.connections, b.connections),
    inPackets: wrap(a.inPackets, b.inPackets),
    outPackets: wrap(a.outPackets, b.outPackets),
    inBytes: wrap(a.inBytes, b.inBytes),
    outBytes: wrap(a.outBytes, b.outBytes),
  };
}

/** What packets counted for this slot since it exists, on all CPUs. Nothing ever resets it. */
export function rawCounters(maps: Maps, slot: number): Counters {
  const { cpus, destination_slots } = maps.instance;
  const rows = maps.rows('counters');
  let sum = nothing;
  for (let cpu = 0; cpu < cpus; cpu++) sum = plus(sum, fromRow(rows.read<CountersRow>(cpu * destination_slots + slot)));
  return sum;
}

export function destinationCounters(maps: Maps, { slot }: LiveDestination): Counters {
  return plus(rawCounters(maps, slot), readOffset(maps, slotEntry(slot)));
}

export function serviceCounters(maps: Maps, { record, destinations }: LiveService): Counters {
  return plus(
    sumOf(destinations.map(({ slot }) => rawCounters(maps, slot))),
    readOffset(maps, serviceEntry(record.members.start)),
  );
}

export function sumOf(all: readonly Counters[]): Counters {
  return all.reduce(plus, nothing);
}

/** Counts from here on. */
export function zeroDestination(maps: Maps, slot: number): void {
  writeOffset(maps, slotEntry(slot), minus(nothing, rawCounters(maps, slot)));
}

/** Counts from here on, its destinations as well. */
export function zeroService(maps: Maps, { record, destinations }: LiveService): void {
  for (const { slot } of destinations) zeroDestination(maps, slot);
  writeOffset(
    maps,
    serviceEntry(record.members.start),
    minus(nothing, sumOf(destinations.map(({ slot }) => rawCounters(maps, slot)))),
  );
}

/** An entry of the ledger: of a destination's slot, or of a service by where its members begin. */
export type LedgerEntry = number;

const destinationBit = 0x8000_0000;

export function slotEntry(slot: number): LedgerEntry {
  return (slot | destinationBit) >>> 0;
}

/** A changed service has new members, so its new offset waits under a new name until the change is in force. */
export function serviceEntry(membersStart: number): LedgerEntry {
  return membersStart;
}

export function readOffset(maps: Maps, entry: LedgerEntry): Counters {
  const bytes = maps.map('ledger').lookup(entryKey(entry));
  return bytes === undefined ? nothing : fromRow(decode<CountersRow>(maps.layouts.struct('counters'), bytes));
}

export function writeOffset(maps: Maps, entry: LedgerEntry, offset: Counters): void {
  const ledger = maps.map('ledger');
  if (Object.values(offset).every((value) => value === 0n)) ledger.delete(entryKey(entry));
  else ledger.update(entryKey(entry), encode(maps.layouts.struct('counters'), toRow(offset)));
}

export function createLedger({ layouts }: Pick<Maps, 'layouts'>, entries: number): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: 'ledger',
    keySize: 4,
    valueSize: layouts.struct('counters').size,
    maxEntries: entries,
    flags: mapFlag.noPrealloc,
  });
}

/** struct rates, in the kernel's fixed point. */
interface RatesRow {
  readonly cps: bigint;
  readonly inpps: bigint;
  readonly outpps: bigint;
  readonly inbps: bigint;
  readonly outbps: bigint;
}

/** Of one destination, or of a service by its destinations' sum before rounding. */
export function ratesOf(maps: Maps, destinations: readonly LiveDestination[]): Rates {
  const rows = destinations.map(({ slot }) => maps.rows('rates').read<RatesRow>(slot));
  const total = (member: keyof RatesRow): bigint => rows.reduce((sum, row) => sum + row[member], 0n);
  return {
    connections: perSecond(total('cps')),
    inPackets: perSecond(total('inpps')),
    outPackets: perSecond(total('outpps')),
    inBytes: bytesPerSecond(total('inbps')),
    outBytes: bytesPerSecond(total('outbps')),
  };
}

/** Source: ip_vs_read_estimator. */
function perSecond(fixed: bigint): bigint {
  return (fixed + 0x1ffn) >> 10n;
}

function bytesPerSecond(fixed: bigint): bigint {
  return (fixed + 0xfn) >> 5n;
}

function entryKey(entry: LedgerEntry): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(entry);
  return key;
}

function fromRow(row: CountersRow): Counters {
  return {
    connections: row.connections,
    inPackets: row.in_packets,
    outPackets: row.out_packets,
    inBytes: row.in_bytes,
    outBytes: row.out_bytes,
  };
}

function toRow(counters: Counters): CountersRow {
  return {
    connections: counters.connections,
    in_packets: counters.inPackets,
    in_bytes: counters.inBytes,
    out_packets: counters.outPackets,
    out_bytes: counters.outBytes,
  };
}
