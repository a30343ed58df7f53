// Counters as users see them: what packets counted, plus an offset that remembers deleted destinations and the last zero.
import type { TypeLayouts } from '../kernel/btf.ts';
import { decode, encode } from '../kernel/codec.ts';
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import type { Counters, Rates } from '../model/director.ts';
import type { LiveService } from './live.ts';
import type { Maps } from './maps.ts';
import type { Rows } from './rows.ts';

/** Modulo 2^64: an offset below zero is a large number. */
export const nothing: Counters = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

export function plus(a: Counters, b: Counters): Counters {
  if (a === nothing || b === nothing) return a === nothing ? b : a;
  return wrapped(
    a.connections + b.connections,
    a.inPackets + b.inPackets,
    a.outPackets + b.outPackets,
    a.inBytes + b.inBytes,
    a.outBytes + b.outBytes,
  );
}

export function minus(a: Counters, b: Counters): Counters {
  if (b === nothing) return a;
  return wrapped(
    a.connections - b.connections,
    a.inPackets - b.inPackets,
    a.outPackets - b.outPackets,
    a.inBytes - b.inBytes,
    a.outBytes - b.outBytes,
  );
}

export function sumOf(all: readonly Counters[]): Counters {
  return all.reduce(plus, nothing);
}

/** What packets counted for this slot since it exists, on all CPUs. Nothing ever resets it. */
export function rawCounters(maps: Maps, slot: number): Counters {
  const { cpus, destination_slots } = maps.instance;
  const counters = maps.rows('counters');
  let sum = toCounters(counters, slot);
  for (let cpu = 1; cpu < cpus; cpu++) sum = plus(sum, toCounters(counters, cpu * destination_slots + slot));
  return sum;
}

/** An entry of the ledger: of a destination's slot, or of a service by where its members begin. */
export type LedgerEntry = number;

const destinationBit = 0x8000_0000;

export function slotEntry(slot: number): LedgerEntry {
  return (slot | destinationBit) >>> 0;
}

/** A changed service has new members, so its new offset waits under a new name until the change is in force. */
export function serviceEntry({ record }: Pick<LiveService, 'record'>): LedgerEntry {
  return record.members.start;
}

/** What is to be added to what packets counted; nothing for most. */
export interface Ledger {
  offset(entry: LedgerEntry): Counters;
  setOffset(entry: LedgerEntry, offset: Counters): void;
}

/** Read whole when it is opened. */
export function openLedger(maps: Maps): Ledger {
  const map = maps.map('ledger');
  const layout = maps.layouts.struct('counters');
  const known = new Map<LedgerEntry, Counters>();
  for (const [key, value] of map.entries()) known.set(key.readUInt32LE(0), fromRow(decode<CountersRow>(layout, value)));
  return {
    offset: (entry) => known.get(entry) ?? nothing,
    setOffset(entry, offset) {
      if (!isNothing(offset)) {
        known.set(entry, offset);
        map.update(entryKey(entry), encode(layout, toRow(offset)));
      } else if (known.delete(entry)) map.delete(entryKey(entry));
    },
  };
}

export function createLedger(layouts: TypeLayouts, entries: number): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: 'ledger',
    keySize: 4,
    valueSize: layouts.struct('counters').size,
    maxEntries: entries,
    flags: mapFlag.noPrealloc,
  });
}

/** Counts from here on, its destinations as well. */
export function zeroService(maps: Maps, ledger: Ledger, service: LiveService): void {
  const counted = service.destinations.map(({ slot }) => rawCounters(maps, slot));
  for (const [index, { slot }] of service.destinations.entries()) {
    ledger.setOffset(slotEntry(slot), minus(nothing, counted[index] ?? nothing));
  }
  ledger.setOffset(serviceEntry(service), minus(nothing, sumOf(counted)));
}

/** Of one destination, or of a service by its destinations' sum before rounding. Source: ip_vs_read_estimator. */
export function ratesOf(maps: Maps, slots: readonly number[]): Rates {
  const rates = maps.rows('rates');
  const total = (member: string): bigint => {
    const column = rates.bigint(member);
    return slots.reduce((sum, slot) => sum + column.get(slot), 0n);
  };
  return {
    connections: perSecond(total('cps')),
    inPackets: perSecond(total('inpps')),
    outPackets: perSecond(total('outpps')),
    inBytes: bytesPerSecond(total('inbps')),
    outBytes: bytesPerSecond(total('outbps')),
  };
}

function perSecond(fixed: bigint): bigint {
  return (fixed + 0x1ffn) >> 10n;
}

function bytesPerSecond(fixed: bigint): bigint {
  return (fixed + 0xfn) >> 5n;
}

function isNothing(counters: Counters): boolean {
  if (counters === nothing) return true;
  const { connections, inPackets, outPackets, inBytes, outBytes } = counters;
  return connections === 0n && inPackets === 0n && outPackets === 0n && inBytes === 0n && outBytes === 0n;
}

function wrapped(
  connections: bigint,
  inPackets: bigint,
  outPackets: bigint,
  inBytes: bigint,
  outBytes: bigint,
): Counters {
  return {
    connections: BigInt.asUintN(64, connections),
    inPackets: BigInt.asUintN(64, inPackets),
    outPackets: BigInt.asUintN(64, outPackets),
    inBytes: BigInt.asUintN(64, inBytes),
    outBytes: BigInt.asUintN(64, outBytes),
  };
}

function entryKey(entry: LedgerEntry): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(entry);
  return key;
}

/** Of 100,000 destinations most have counted nothing. */
function toCounters(counters: Rows, index: number): Counters {
  if (counters.isClear(index)) return nothing;
  return {
    connections: counters.bigint('connections').get(index),
    inPackets: counters.bigint('in_packets').get(index),
    outPackets: counters.bigint('out_packets').get(index),
    inBytes: counters.bigint('in_bytes').get(index),
    outBytes: counters.bigint('out_bytes').get(index),
  };
}

/** struct counters. */
interface CountersRow {
  readonly connections: bigint;
  readonly in_packets: bigint;
  readonly in_bytes: bigint;
  readonly out_packets: bigint;
  readonly out_bytes: bigint;
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
