// The difference between the table in force and the wanted one, as everything that has to be written. Pure.

import { type Address, equalAddresses } from '../model/address.ts';
import { about, FairleadError } from '../model/error.ts';
import type { Destination, Service, ServiceIdentity, Table } from '../model/service.ts';
import { destinationKey, destinationSubject, serviceFamily, serviceKey } from '../model/table.ts';
import { bucketsOf } from '../schedule/buckets.ts';
import { freshCursor, hasCursor, movedCursor } from '../schedule/cursor.ts';
import { descentOf } from '../schedule/descent.ts';
import type { Listed } from '../schedule/edits.ts';
import { lastWeights } from '../schedule/last-weights.ts';
import { maglevOf } from '../schedule/maglev.ts';
import { type BucketNumbers, bucketCountOf } from './bucket-count.ts';
import {
  asConfigured,
  type LiveDestination,
  type LiveService,
  type LiveTable,
  type ServiceRecord,
  withOptions,
} from './live.ts';
import type { Allocate } from './regions.ts';
import { type FlagNumbers, hasSameSettings, settingsOf } from './service-flags.ts';
import type { SlotPool } from './slots.ts';
import { isSameTunnel } from './tunnel.ts';

/** What the plan may take from. */
export interface Room {
  readonly members: Allocate;
  readonly buckets: Allocate;
  readonly localAddresses: Allocate;
  readonly slots: SlotPool;
  /** Of a service's destinations the names by which slots know whose they are, or were. */
  readonly ownersOf: (service: ServiceIdentity) => (destination: Destination) => string;
  readonly numbers: FlagNumbers & BucketNumbers;
  /** Ids are below this. */
  readonly serviceIds: number;
  readonly nextServiceId: number;
  readonly cursorOf: (serviceId: number) => bigint;
}

export type SlotOrigin = 'kept' | 'resurrected' | 'new';

export interface PlannedDestination extends LiveDestination {
  readonly origin: SlotOrigin;
}

/** A service that is new, or no longer what it was. */
export interface PlannedService extends LiveService {
  readonly destinations: readonly PlannedDestination[];
  readonly buckets: readonly number[];
  readonly cursor: bigint;
  readonly previous: LiveService | undefined;
  /** Destinations of `previous` that it has no more. */
  readonly abandoned: readonly LiveDestination[];
}

export interface Plan {
  readonly written: readonly PlannedService[];
  readonly removed: readonly LiveService[];
  readonly kept: readonly LiveService[];
  readonly nextServiceId: number;
}

export function isEmptyPlan({ written, removed }: Plan): boolean {
  return written.length === 0 && removed.length === 0;
}

export function planChange(live: LiveTable, wanted: Table, room: Room): Plan {
  const installed = new Map(live.services.map((service) => [serviceKey(service.identity), service]));
  const ids = idAllocator(room, live);
  const keys = wanted.services.map(({ identity }) => serviceKey(identity));
  const orders = ordersOf(keys, installed);
  const kept: LiveService[] = [];
  const changed: { service: Service; previous: LiveService | undefined; order: number }[] = [];
  wanted.services.forEach((service, index) => {
    const key = keys[index] ?? '';
    const previous = installed.get(key);
    installed.delete(key);
    const order = orders[index] ?? 0;
    if (previous !== undefined && previous.record.order === order && isSame(previous, service)) kept.push(previous);
    else changed.push({ service, previous, order });
  });
  // All that can come back from the trash does, before the trash is used as room for others.
  const slots = changed.map(({ service, previous }) => knownSlots(service, previous, room));
  const written = changed.map(({ service, previous, order }, index) =>
    about(serviceKey(service.identity), () =>
      planService(service, previous, order, previous?.record.id ?? ids.take(), slots[index] ?? new Map(), room),
    ),
  );
  return { written, removed: [...installed.values()], kept, nextServiceId: ids.next() };
}

function planService(
  service: Service,
  previous: LiveService | undefined,
  order: number,
  id: number,
  known: ReadonlyMap<Destination, KnownSlot>,
  room: Room,
): PlannedService {
  const remembered = previous && lastWeights(listed(previous.destinations), listed(service.destinations));
  const destinations = service.destinations.map((destination, index): PlannedDestination => {
    const take = (): number => about(() => destinationSubject(service.identity, destination), room.slots.take);
    const lastWeight = remembered?.[index] ?? destination.weight;
    const { rip, port, method, weight } = destination;
    const { slot, origin } = known.get(destination) ?? { slot: take(), origin: 'new' };
    return withOptions({ rip, port, method, weight, lastWeight, slot, origin }, destination);
  });
  const weights = destinations.map(({ weight }) => weight);
  const { localAddresses, ownCount } = ownFamilyFirst(service);
  const record: ServiceRecord = {
    id,
    scheduler: service.scheduler,
    members: room.members(Math.max(destinations.length, 1)),
    memberCount: destinations.length,
    buckets: room.buckets(bucketCountOf(service.scheduler, room.numbers)),
    localAddresses: room.localAddresses(localAddresses.length),
    crossAddressCount: localAddresses.length - ownCount,
    ...descentOf(weights),
    order,
    settings: settingsOf(service, room.numbers),
  };
  const remaining = new Set(destinations.map(({ slot }) => slot));
  return {
    ...service,
    localAddresses,
    record,
    destinations,
    buckets: tableOf(service, destinations, record.buckets.length),
    cursor: cursorOf(service, previous, room),
    previous,
    abandoned: previous?.destinations.filter(({ slot }) => !remaining.has(slot)) ?? [],
  };
}

/** As they are installed: full NAT chooses one of the real server's family. */
function ownFamilyFirst({ identity, localAddresses }: Service): {
  readonly localAddresses: readonly Address[];
  readonly ownCount: number;
} {
  const family = serviceFamily(identity);
  const own = localAddresses.filter((address) => address.family === family);
  const other = localAddresses.filter((address) => address.family !== family);
  return { localAddresses: [...own, ...other], ownCount: own.length };
}

function tableOf(
  { identity, scheduler }: Service,
  destinations: readonly PlannedDestination[],
  size: number,
): readonly number[] {
  if (scheduler === 'mh') return maglevOf(serviceFamily(identity), destinations, size);
  return bucketsOf(
    scheduler,
    destinations.map(({ weight }) => weight),
    size,
  );
}

type KnownSlot = Pick<PlannedDestination, 'slot' | 'origin'>;

/** Those that it has or had; the others of its destinations are new. */
function knownSlots(
  service: Service,
  previous: LiveService | undefined,
  { slots, ownersOf }: Room,
): ReadonlyMap<Destination, KnownSlot> {
  const known = new Map<Destination, KnownSlot>();
  const present = new Map(previous?.destinations.map((one) => [destinationKey(one), one.slot]));
  if (present.size === 0 && !slots.hasTrash()) return known;
  const ownerOf = ownersOf(service.identity);
  for (const destination of service.destinations) {
    const kept = present.size === 0 ? undefined : present.get(destinationKey(destination));
    const slot = kept ?? slots.resurrect(() => ownerOf(destination));
    if (slot !== undefined) known.set(destination, { slot, origin: kept === undefined ? 'resurrected' : 'kept' });
  }
  return known;
}

function cursorOf(service: Service, previous: LiveService | undefined, room: Room): bigint {
  if (!hasCursor(service.scheduler)) return 0n;
  if (previous === undefined) return movedCursor(service.scheduler, 0n, [], listed(service.destinations));
  if (previous.scheduler !== service.scheduler)
    return freshCursor(
      service.scheduler,
      service.destinations.map(({ weight }) => weight),
    );
  const [before, after] = [listed(previous.destinations), listed(service.destinations)];
  return movedCursor(service.scheduler, room.cursorOf(previous.record.id), before, after);
}

function listed<D extends Destination>(destinations: readonly D[]): readonly (D & Listed)[] {
  return destinations.map((destination) => ({ ...destination, key: destinationKey(destination) }));
}

function isSame(a: LiveService, b: Service): boolean {
  if (asConfigured(a) === b) return true;
  return (
    hasSameSettings(a, b) &&
    areEqual(a.localAddresses, ownFamilyFirst(b).localAddresses, equalAddresses) &&
    areEqual(a.destinations, b.destinations, isSameDestination)
  );
}

function isSameDestination(a: Destination, b: Destination): boolean {
  return (
    a.weight === b.weight &&
    a.method === b.method &&
    a.port === b.port &&
    equalAddresses(a.rip, b.rip) &&
    (a.upperThreshold ?? 0) === (b.upperThreshold ?? 0) &&
    (a.lowerThreshold ?? 0) === (b.lowerThreshold ?? 0) &&
    isSameTunnel(a, b)
  );
}

function areEqual<T>(some: readonly T[], others: readonly T[], equal: (a: T, b: T) => boolean): boolean {
  return (
    some.length === others.length &&
    some.every((one, index) => {
      const other = others[index];
      return other !== undefined && equal(one, other);
    })
  );
}

/** Ranks for the wanted order, each service's own where that is still right. */
function ordersOf(wanted: readonly string[], installed: ReadonlyMap<string, LiveService>): readonly number[] {
  let last = -1;
  return wanted.map((key) => {
    last = Math.max(installed.get(key)?.record.order ?? 0, last + 1);
    return last;
  });
}

function idAllocator(room: Room, live: LiveTable): { take(): number; next(): number } {
  const taken = new Set(live.services.map(({ record }) => record.id));
  let next = room.nextServiceId % room.serviceIds;
  return {
    take() {
      if (taken.size >= room.serviceIds)
        throw new FairleadError('table-full', `no room for more services: the table has ${room.serviceIds}`);
      while (taken.has(next)) next = (next + 1) % room.serviceIds;
      const id = next;
      taken.add(id);
      next = (id + 1) % room.serviceIds; // not this one again at once, for what a service leaves behind has its id
      return id;
    },
    next: () => next,
  };
}
