// A change of the table, carried out in steps: until 'swapped' packets see the old table, from then on the new one, whole.
import { be16 } from '../kernel/codec.ts';
import type { Table } from '../model/service.ts';
import { destinationKey } from '../model/table.ts';
import {
  minus,
  nothing,
  plus,
  rawCounters,
  readOffset,
  serviceEntry,
  slotEntry,
  sumOf,
  writeOffset,
} from './ledger.ts';
import { type LiveService, type LiveTable, toTable } from './live.ts';
import { forgetLocalities } from './localities.ts';
import { bucketCount, type Maps } from './maps.ts';
import {
  isEmptyPlan,
  type Plan,
  type PlannedDestination,
  type PlannedService,
  planChange,
  type Room,
  slotOwner,
} from './plan.ts';
import { readEndpoint, readLive } from './read.ts';
import { regionAllocator } from './regions.ts';
import { putInPlace, removeInPlace, replaceTable, waitForPackets } from './service_table.ts';
import { slotPool, type UsedSlot } from './slots.ts';
import { validate } from './validate.ts';
import { type KeyRow, toIdentity, toKeyRow, toWords } from './wire.ts';

/** DESTINATION_AVAILABLE of bpf/fairlead.h. */
export const available = 1;

/** What is done when the step is given. Whoever dies after it leaves the table of before, or from 'swapped' on the new one. */
export type Step = 'repaired' | 'planned' | 'settled' | 'prepared' | 'swapped' | 'finished';

/** Under the instance's lock. Throws before 'swapped', or not at all; then the table is what it was. */
export function* changeTable(maps: Maps, edit: (installed: Table) => Table, nowS: number): Generator<Step, void> {
  const live = readLive(maps);
  repair(maps, live, nowS);
  yield 'repaired';
  const wanted = edit(toTable(live));
  validate(wanted);
  const plan = planChange(live, wanted, roomOf(maps, live, nowS));
  if (isEmptyPlan(plan)) return;
  yield 'planned';
  try {
    // Packets may still read what an earlier change let go of.
    waitForPackets(maps);
    yield 'settled';
    prepare(maps, plan);
    yield 'prepared';
    swap(maps, plan);
  } catch (error) {
    repair(maps, live, nowS);
    throw error;
  }
  yield 'swapped';
  finish(maps, plan, nowS);
  yield 'finished';
}

/** Makes the slots agree with the table in force, whatever a process that died in the middle of a change left of it. */
function repair(maps: Maps, { services }: LiveTable, nowS: number): void {
  const inForce = new Map(
    services.flatMap(({ record, destinations }) =>
      destinations.map(({ slot, weight }) => [slot, { service: record.id, weight }] as const),
    ),
  );
  const rows = maps.rows('destinations');
  const [flags, service, weight] = [rows.number('flags'), rows.number('service'), rows.number('weight')];
  const used = usedSlots(maps).get(0);
  for (let slot = 0; slot < used; slot++) {
    const right = inForce.get(slot);
    const isAvailable = (flags.get(slot) & available) !== 0;
    if (right === undefined) {
      if (isAvailable) retire(maps, slot, nowS);
    } else if (!isAvailable || service.get(slot) !== right.service || weight.get(slot) !== right.weight) {
      rows.patch(slot, { ...right, flags: available });
    }
  }
}

function retire(maps: Maps, slot: number, nowS: number): void {
  const rows = maps.rows('destinations');
  rows.patch(slot, { deleted: nowS });
  rows.patch(slot, { flags: 0 });
}

/** No slot at or above this was ever used. */
function usedSlots(maps: Maps): { get(index: 0): number; set(index: 0, value: number): void } {
  return maps.rows('settings').number('destinations_used');
}

function roomOf(maps: Maps, { services }: LiveTable, nowS: number): Room {
  const records = services.map(({ record }) => record);
  const { cursors } = maps;
  const capacity = (map: string): number => maps.map(map).info.maxEntries;
  return {
    members: regionAllocator(
      'destinations',
      capacity('members'),
      records.map(({ members }) => members),
    ),
    buckets: regionAllocator(
      'hash buckets',
      capacity('buckets'),
      records.map(({ buckets }) => buckets),
    ),
    localAddresses: regionAllocator(
      'local addresses',
      capacity('local_addresses'),
      records.map(({ localAddresses }) => localAddresses),
    ),
    slots: slotPool(maps.instance.destination_slots, readSlots(maps), nowS),
    bucketCount,
    serviceIds: capacity('cursors'),
    nextServiceId: maps.rows('instances').number('next_service_id').get(0),
    cursorOf: (id) => cursors.get(id),
  };
}

interface DestinationRow {
  readonly key: KeyRow;
  readonly deleted: number;
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
}

function readSlots(maps: Maps): readonly UsedSlot[] {
  const rows = maps.rows('destinations');
  const flags = rows.number('flags');
  return Array.from({ length: usedSlots(maps).get(0) }, (_, slot) => {
    if ((flags.get(slot) & available) !== 0) return { slot, owner: '', isDeleted: false, isBusy: false, deletedAtS: 0 };
    const row = rows.read<DestinationRow>(slot);
    return {
      slot,
      owner: slotOwner({ identity: toIdentity(row.key) }, destinationKey(readEndpoint(maps, slot))),
      isDeleted: true,
      isBusy: row.active + row.inactive + row.persistent > 0,
      deletedAtS: row.deleted,
    };
  });
}

/** Writes only where nothing in force refers to, but for resurrected slots, whose connections go on from here. */
function prepare(maps: Maps, plan: Plan): void {
  maps.rows('instances').patch(0, { next_service_id: plan.nextServiceId });
  for (const service of plan.written) {
    for (const destination of service.destinations) prepareDestination(maps, service, destination);
    prepareService(maps, service);
  }
}

function prepareDestination(
  maps: Maps,
  service: PlannedService,
  { slot, origin, rip, port, weight }: PlannedDestination,
): void {
  const rows = maps.rows('destinations');
  if (origin === 'resurrected') rows.patch(slot, { service: service.record.id, weight, flags: available });
  if (origin !== 'new') return;
  const used = usedSlots(maps);
  writeOffset(maps, slotEntry(slot), minus(nothing, rawCounters(maps, slot)));
  maps.rows('rates').patch(slot, { cps: 0n, inpps: 0n, outpps: 0n, inbps: 0n, outbps: 0n });
  rows.write(slot, {
    rip: toWords(rip),
    port: be16(port),
    family: rip.family,
    flags: available,
    service: service.record.id,
    key: toKeyRow(service.identity),
    weight,
  });
  if (slot >= used.get(0)) used.set(0, slot + 1);
}

function prepareService(maps: Maps, service: PlannedService): void {
  const { record, destinations, buckets, localAddresses, previous } = service;
  const members = maps.rows('members');
  destinations.forEach(({ slot, weight, method }, index) => {
    members.write(record.members.start + index, {
      destination: slot,
      weight,
      method: maps.vocabulary.methods.number(method),
    });
  });
  const { buckets: column } = maps;
  for (const [index, position] of buckets.entries()) column.set(record.buckets.start + index, position);
  for (const [index, address] of localAddresses.entries())
    maps.rows('local_addresses').write(record.localAddresses.start + index, toWords(address));
  if (previous === undefined) maps.cursors.set(record.id, service.cursor);
  writeOffset(maps, serviceEntry(record.members.start), offsetOf(maps, service));
}

/** So that a service's counters go on where they were, whichever destinations came and went. */
function offsetOf(maps: Maps, { previous, abandoned, destinations }: PlannedService): ReturnType<typeof plus> {
  const before = previous === undefined ? nothing : readOffset(maps, serviceEntry(previous.record.members.start));
  const gone = sumOf(abandoned.map(({ slot }) => rawCounters(maps, slot)));
  const come = sumOf(destinations.filter(({ origin }) => origin !== 'kept').map(({ slot }) => rawCounters(maps, slot)));
  return minus(plus(before, gone), come);
}

function swap(maps: Maps, { written, removed, kept }: Plan): void {
  const count = kept.length + written.length;
  const [put] = written;
  const [gone] = removed;
  if (written.length + removed.length === 1) {
    if (gone !== undefined) {
      removeInPlace(maps, gone.identity);
      return;
    }
    if (put !== undefined && putInPlace(maps, put, count)) return;
  }
  replaceTable(maps, [...kept, ...written]);
}

function finish(maps: Maps, plan: Plan, nowS: number): void {
  for (const service of plan.written) {
    if (service.previous === undefined) continue;
    maps.cursors.set(service.record.id, service.cursor);
    const weights = maps.rows('destinations').number('weight');
    for (const { slot, weight } of service.destinations) weights.set(slot, weight);
    for (const { slot } of service.abandoned) retire(maps, slot, nowS);
    if (service.previous.scheduler !== service.scheduler) forgetLocalities(maps, service.previous);
    forget(maps, service.previous);
  }
  for (const service of plan.removed) {
    for (const { slot } of service.destinations) retire(maps, slot, nowS);
    forgetLocalities(maps, service);
    forget(maps, service);
  }
}

function forget(maps: Maps, { record }: LiveService): void {
  writeOffset(maps, serviceEntry(record.members.start), nothing);
}
