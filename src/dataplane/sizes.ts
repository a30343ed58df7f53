// How large an instance's tables are made: from the connections it shall hold, or from the machine's memory.
import { totalmem } from 'node:os';
import type { Layouts } from '../kernel/btf.ts';
import { FairleadError } from '../model/error.ts';
import { readNumbers } from './vocabulary.ts';

export interface Sizes {
  readonly flowSlots: number;
  readonly destinationSlots: number;
}

/** What tables consist of: the programs' numbers. */
export interface Units {
  readonly flowBytes: number;
  readonly counterBytes: number;
  readonly slotsPerPage: number;
  readonly pagesPerWord: number;
  readonly buckets: number;
  /** What the table is made for. It holds more connections, at the price of speed. */
  readonly slotsPerConnection: number;
}

const defaultConnections = 1 << 20;
const leastConnections = 1024;
/** 3 GiB of entries: listings have them all as one ArrayBuffer, and koffi makes none of more than 4 GiB. */
const mostConnections = 1 << 24;
/** Unless the first table has more. */
const defaultDestinations = 65536;
const mostDestinations = 1 << 20;
const leastDestinations = 1024;

/** A destination's row, its averages, its members and its share of the other tables; counters come for each CPU. */
const destinationBytes = 600;

export function readUnits(layouts: Layouts): Units {
  const { SLOTS_PER_PAGE, PAGES_PER_WORD, BUCKETS, SLOTS_PER_CONNECTION } = readNumbers(layouts);
  return {
    flowBytes: layouts.struct('flow').size,
    counterBytes: layouts.struct('counters').size,
    slotsPerPage: SLOTS_PER_PAGE,
    pagesPerWord: PAGES_PER_WORD,
    buckets: BUCKETS,
    slotsPerConnection: SLOTS_PER_CONNECTION,
  };
}

/**
 * As many connections as asked for, or as FAIRLEAD_CONNECTIONS of the environment says, or 2^20, or what 1/16 of the memory holds.
 * As many destinations as are usual, or a quarter more than `destinations`, whatever memory there is, for somebody asked for them.
 */
export function chooseSizes(
  units: Units,
  cpus: number,
  connections = readEnvironment(),
  memoryBytes = totalmem(),
  destinations = 0,
): Sizes {
  const affordable = wholePages(units, Math.floor(memoryBytes / 16 / units.flowBytes));
  const flowSlots =
    connections === undefined
      ? Math.min(slotsFor(units, defaultConnections), affordable)
      : slotsFor(units, checked(connections, 'connections', String(connections)));
  const slots = memoryBytes / 128 / (destinationBytes + units.counterBytes * cpus);
  const usual = Math.min(defaultDestinations, Math.max(leastDestinations, powerOfTwo(Math.floor, slots)));
  const needed = Math.min(mostDestinations, powerOfTwo(Math.ceil, destinations * 1.25));
  return { flowSlots, destinationSlots: Math.max(usual, needed) };
}

/** Of an instance whose table of destinations has become too small. Throws table-full where there can be no larger one. */
export function largerDestinationSlots(present: number, destinations: number): number {
  const wanted = Math.max(present * 2, powerOfTwo(Math.ceil, destinations * 1.25));
  if (present < mostDestinations) return Math.min(wanted, mostDestinations);
  throw new FairleadError(
    'table-full',
    `no room for ${destinations} destinations: a table has ${mostDestinations} at the most`,
  );
}

/** Entries of the ledger: destinations and services each have one. */
export function ledgerEntries({ members = 0, destinations = 0 }: Readonly<Record<string, number>>): number {
  return members + destinations;
}

function powerOfTwo(round: (bits: number) => number, slots: number): number {
  return 2 ** Math.max(0, round(Math.log2(Math.max(1, slots))));
}

export function slotsFor(units: Units, connections: number): number {
  return wholePages(units, connections * units.slotsPerConnection);
}

/** Entries of each map whose size depends on the instance. */
export function mapSizes(
  { slotsPerPage, pagesPerWord, buckets }: Units,
  { flowSlots, destinationSlots }: Sizes,
  cpus: number,
): Readonly<Record<string, number>> {
  return {
    flows: flowSlots,
    flow_pages: Math.ceil(flowSlots / slotsPerPage / pagesPerWord),
    destinations: destinationSlots,
    counters: destinationSlots * cpus,
    rates: destinationSlots,
    members: destinationSlots * 4,
    buckets: (destinationSlots / 8) * buckets,
    local_addresses: destinationSlots / 4,
    cursors: destinationSlots,
    ends: destinationSlots * 3,
  };
}

function wholePages({ slotsPerPage }: Units, slots: number): number {
  return Math.ceil(slots / slotsPerPage) * slotsPerPage;
}

function readEnvironment(): number | undefined {
  const text = process.env.FAIRLEAD_CONNECTIONS;
  return text === undefined ? undefined : parseConnections('FAIRLEAD_CONNECTIONS', text);
}

/** `what` is where the text was given. */
export function parseConnections(what: string, text: string): number {
  return checked(/^\d+$/.test(text) ? Number(text) : Number.NaN, what, JSON.stringify(text));
}

function checked(connections: number, what: string, got: string): number {
  if (Number.isInteger(connections) && connections >= leastConnections && connections <= mostConnections) {
    return connections;
  }
  throw new FairleadError(
    'bad-input',
    `${what}: expected a number of connections from ${leastConnections} to ${mostConnections}, got ${got}`,
  );
}
