// How large an instance's tables are made: from the connections it shall hold, or from the machine's memory.
import { totalmem } from 'node:os';
import { FairleadError } from '../model/error.ts';
import { bucketCount } from './maps.ts';

export interface Sizes {
  readonly flowSlots: number;
  readonly destinationSlots: number;
}

const flowBytes = 64;
const defaultConnections = 1 << 20;
const slotsPerPage = 64;
const pagesPerWord = 64;
const leastConnections = 1024;
/** Entry indexes are 32 bits wide, and so are byte counts inside a slot's home word. */
const mostConnections = 1 << 28;
const mostDestinations = 65536;
const leastDestinations = 1024;

/** A destination's row, its averages, its members and its share of the other tables; counters come for each CPU. */
const destinationBytes = 600;
const counterBytes = 64;

/** As many connections as asked for, or as FAIRLEAD_CONNECTIONS of the environment says, or 2^20, or what 1/16 of the memory holds. */
export function chooseSizes(cpus: number, connections = readEnvironment(), memoryBytes = totalmem()): Sizes {
  const affordable = wholePages(Math.floor(memoryBytes / 16 / flowBytes));
  const flowSlots =
    connections === undefined ? Math.min(slotsFor(defaultConnections), affordable) : slotsFor(checked(connections));
  const slots = memoryBytes / 128 / (destinationBytes + counterBytes * cpus);
  const destinationSlots = 2 ** Math.floor(Math.log2(slots));
  return { flowSlots, destinationSlots: Math.min(mostDestinations, Math.max(leastDestinations, destinationSlots)) };
}

/** Two entries each, at a load of two thirds. */
export function slotsFor(connections: number): number {
  return wholePages(connections * 3);
}

/** Entries of each map whose size depends on the instance. */
export function mapSizes({ flowSlots, destinationSlots }: Sizes, cpus: number): Readonly<Record<string, number>> {
  return {
    flows: flowSlots,
    flow_pages: Math.ceil(flowSlots / slotsPerPage / pagesPerWord),
    destinations: destinationSlots,
    counters: destinationSlots * cpus,
    rates: destinationSlots,
    members: destinationSlots * 4,
    buckets: (destinationSlots / 8) * bucketCount,
    local_addresses: destinationSlots / 4,
    cursors: destinationSlots,
  };
}

function wholePages(slots: number): number {
  return Math.ceil(slots / slotsPerPage) * slotsPerPage;
}

function readEnvironment(): number | undefined {
  const text = process.env.FAIRLEAD_CONNECTIONS;
  return text === undefined ? undefined : Number(text);
}

function checked(connections: number): number {
  if (Number.isInteger(connections) && connections >= leastConnections && connections <= mostConnections) {
    return connections;
  }
  throw new FairleadError(
    'bad-input',
    `expected a number of connections from ${leastConnections} to ${mostConnections}, got ${connections}`,
  );
}
