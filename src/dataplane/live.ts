// The table in force as user space sees it: services with the regions, slots and ids that they refer to.
import type { Destination, Scheduler, Service, Table } from '../model/service.ts';
import { serviceKey } from '../model/table.ts';
import type { Region } from './regions.ts';
import type { ServiceSettings } from './service-flags.ts';

export interface LiveDestination extends Destination {
  /** Index into the destinations map. */
  readonly slot: number;
  /** Its last one that was not 0, in IPVS's sense: see lastWeights. */
  readonly lastWeight: number;
}

/** struct service of bpf/fairlead.h. */
export interface ServiceRecord {
  readonly id: number;
  readonly scheduler: Scheduler;
  /** Never empty, for its start names the service's ledger entry too: a service without destinations has one unused. */
  readonly members: Region;
  readonly memberCount: number;
  readonly buckets: Region;
  /** Of the service's own family first. */
  readonly localAddresses: Region;
  /** How many of them are of the other one. */
  readonly crossAddressCount: number;
  readonly maxWeight: number;
  readonly weightStep: number;
  readonly order: number;
  readonly settings: ServiceSettings;
}

export interface LiveService extends Service {
  readonly record: ServiceRecord;
  readonly destinations: readonly LiveDestination[];
}

/** Oldest first. */
export interface LiveTable {
  readonly services: readonly LiveService[];
}

const byKey = new WeakMap<LiveTable, ReadonlyMap<string, LiveService>>();

/** By serviceKey. */
export function servicesByKey(table: LiveTable): ReadonlyMap<string, LiveService> {
  const known = byKey.get(table);
  if (known !== undefined) return known;
  const made = new Map(table.services.map((service) => [serviceKey(service.identity), service]));
  byKey.set(table, made);
  return made;
}

const configured = new WeakMap<LiveService, Service>();

/** The same as a person configures it: the same object as long as the service is what it is. */
export function toTable({ services }: LiveTable): Table {
  return { services: services.map(asConfigured) };
}

export function asConfigured(live: LiveService): Service {
  const known = configured.get(live);
  if (known !== undefined) return known;
  const { record: _, destinations, ...service } = live;
  const made = { ...service, destinations: destinations.map(toDestination) };
  configured.set(live, made);
  return made;
}

function toDestination(live: LiveDestination): Destination {
  const { rip, port, method, weight } = live;
  return withOptions({ rip, port, method, weight }, live);
}

type Option = 'askedPort' | 'upperThreshold' | 'lowerThreshold' | 'tunnel';
type Options = { readonly [Name in Option]?: Destination[Name] | undefined };

/**
 * With what a destination has only where it is set. Property by property: each object that is spread into another has a shape of its
 * own, which takes ten times as long, and there may be 100,000.
 */
export function withOptions<T extends Destination>(
  made: T,
  { askedPort, upperThreshold, lowerThreshold, tunnel }: Options,
): T {
  const whole: { -readonly [Name in keyof Destination]: Destination[Name] } = made;
  if (askedPort !== undefined) whole.askedPort = askedPort;
  if (upperThreshold !== undefined) whole.upperThreshold = upperThreshold;
  if (lowerThreshold !== undefined) whole.lowerThreshold = lowerThreshold;
  if (tunnel !== undefined) whole.tunnel = tunnel;
  return made;
}
