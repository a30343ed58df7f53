// A change of the table, carried out in steps: until 'swapped' packets see the old table, from then on the new one, whole.
import type { Counters } from '../model/director.ts';
import type { Table } from '../model/service.ts';
import { makeRoomForCallIds } from './call-ids.ts';
import { memberCopier, ownersOf, prepareDestinations, readSlots, repairSlots, retireSlot } from './destinations.ts';
import { changeEnds, writeEnds } from './ends.ts';
import { featuresOfTable } from './features.ts';
import { type Ledger, minus, nothing, openLedger, plus, rawCounters, serviceEntry, sumOf } from './ledger.ts';
import { type LiveTable, type ServiceRecord, toTable } from './live.ts';
import { ensureFeatures } from './load.ts';
import { forgetLocalities } from './localities.ts';
import { addLookups, setLookups } from './lookups.ts';
import type { Maps } from './maps.ts';
import { once } from './once.ts';
import { isEmptyPlan, type Plan, type PlannedService, planChange, type Room } from './plan.ts';
import { readLive, rememberChange } from './read.ts';
import { type Allocate, type Region, regionAllocator } from './regions.ts';
import { putInPlace, removeInPlace, replaceTable, waitForPackets } from './service_table.ts';
import { slotPool } from './slots.ts';
import { beginChange, endChange, isBeingChanged, tableVersion } from './table-version.ts';
import { encodeTunnel } from './tunnel.ts';
import { validate } from './validate.ts';
import { encodeAddress } from './wire.ts';

/** What is done when the step is given. Whoever dies after it leaves the table of before, or from 'swapped' on the new one. */
export type Step = 'repaired' | 'planned' | 'settled' | 'prepared' | 'swapped' | 'finished';

/** Under the instance's lock. Throws before 'swapped', or not at all; then the table is what it was. */
export function* changeTable(maps: Maps, edit: (installed: Table) => Table, nowS: number): Generator<Step, void> {
  const live = readLive(maps);
  if (isBeingChanged(tableVersion(maps))) repair(maps, live, nowS);
  yield 'repaired';
  const installed = toTable(live);
  const wanted = edit(installed);
  validate(wanted, new Set(installed.services));
  const plan = planChange(live, wanted, roomOf(maps, live, nowS));
  if (isEmptyPlan(plan)) return;
  yield 'planned';
  ensureFeatures(maps, featuresOfTable({ services: plan.written }));
  const ledger = openLedger(maps);
  beginChange(maps);
  try {
    // Packets may still read what an earlier change let go of.
    waitForPackets(maps);
    yield 'settled';
    prepare(maps, ledger, plan);
    addLookups(maps, plan.written);
    yield 'prepared';
    swap(maps, plan);
  } catch (error) {
    repair(maps, live, nowS);
    throw error;
  }
  yield 'swapped';
  changeEnds(maps, plan);
  finish(maps, ledger, plan, nowS);
  setLookups(maps, wanted.services);
  endChange(maps);
  rememberChange(maps, plan.kept, plan.written);
  yield 'finished';
}

/** Whatever a change that came to no end left of it. */
function repair(maps: Maps, live: LiveTable, nowS: number): void {
  repairSlots(maps, live, nowS);
  setLookups(maps, live.services);
  writeEnds(maps, live.services);
  endChange(maps);
}

/** What many changes need nothing of is only looked for when it is asked for. */
function roomOf(maps: Maps, { services }: LiveTable, nowS: number): Room {
  const allocator = (what: string, map: string, region: (record: ServiceRecord) => Region): Allocate => {
    const allocate = once(() =>
      regionAllocator(
        what,
        maps.map(map).info.maxEntries,
        services.map(({ record }) => region(record)),
      ),
    );
    return (length) => allocate()(length);
  };
  const slots = once(() => slotPool(readSlots(maps), nowS));
  return {
    members: allocator('destinations', 'members', ({ members }) => members),
    buckets: allocator('hash buckets', 'buckets', ({ buckets }) => buckets),
    localAddresses: allocator('local addresses', 'local_addresses', ({ localAddresses }) => localAddresses),
    slots: {
      hasTrash: () => slots().hasTrash(),
      resurrect: (owner) => slots().resurrect(owner),
      take: () => slots().take(),
    },
    ownersOf: (service) => ownersOf(maps, service),
    numbers: maps.vocabulary.numbers,
    serviceIds: maps.map('cursors').info.maxEntries,
    nextServiceId: maps.rows('instances').number('next_service_id').get(0),
    cursorOf: (id) => maps.words('cursors').get(id),
  };
}

/** Writes only where nothing in force refers to, but for resurrected slots, whose connections go on from here. */
function prepare(maps: Maps, ledger: Ledger, plan: Plan): void {
  maps.rows('instances').number('next_service_id').set(0, plan.nextServiceId);
  if (plan.written.some(({ persistenceEngine }) => persistenceEngine !== undefined)) makeRoomForCallIds(maps);
  for (const service of plan.written) {
    prepareDestinations(maps, ledger, service);
    prepareRegions(maps, service);
    if (service.previous === undefined) maps.words('cursors').set(service.record.id, service.cursor);
    ledger.setOffset(serviceEntry(service), offsetOf(maps, ledger, service));
  }
}

function prepareRegions(maps: Maps, { record, destinations, buckets, localAddresses }: PlannedService): void {
  const { methods, numbers } = maps.vocabulary;
  const members = maps.rows('members');
  const slots = members.number('destination');
  const weights = members.number('weight');
  const lastWeights = members.number('last_weight');
  const methodNumbers = members.number('method');
  const upperThresholds = members.number('upper_threshold');
  const lowerThresholds = members.number('lower_threshold');
  const tunnels = members.number('tunnel');
  const lightest = members.number('lightest');
  for (const [index, destination] of destinations.entries()) {
    const at = record.members.start + index;
    slots.set(at, destination.slot);
    weights.set(at, destination.weight);
    lastWeights.set(at, destination.lastWeight);
    methodNumbers.set(at, methods.number(destination.method));
    upperThresholds.set(at, destination.upperThreshold ?? 0);
    lowerThresholds.set(at, destination.lowerThreshold ?? 0);
    tunnels.set(at, encodeTunnel(destination, numbers));
    lightest.set(at, numbers.BLOCK_CHANGED);
  }
  if (buckets.length > 0) {
    const column = maps.buckets;
    for (const [index, position] of buckets.entries()) column.set(record.buckets.start + index, position);
  }
  for (const [index, address] of localAddresses.entries()) {
    maps
      .rows('local_addresses')
      .bytes('word')
      .set(record.localAddresses.start + index, encodeAddress(address));
  }
}

/** So that a service's counters go on where they were, whichever destinations came and went. */
function offsetOf(maps: Maps, ledger: Ledger, { previous, abandoned, destinations }: PlannedService): Counters {
  const before = previous === undefined ? nothing : ledger.offset(serviceEntry(previous));
  const gone = abandoned.map(({ slot }) => rawCounters(maps, slot));
  const come = destinations.filter(({ origin }) => origin !== 'kept').map(({ slot }) => rawCounters(maps, slot));
  return minus(plus(before, sumOf(gone)), sumOf(come));
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

function finish(maps: Maps, ledger: Ledger, plan: Plan, nowS: number): void {
  for (const service of plan.written) {
    const { previous, record, cursor, destinations, abandoned } = service;
    if (previous === undefined) continue;
    maps.words('cursors').set(record.id, cursor);
    const copyMember = memberCopier(maps, service);
    for (const index of destinations.keys()) copyMember(index);
    for (const { slot } of abandoned) retireSlot(maps, slot, nowS);
    if (previous.scheduler !== service.scheduler) forgetLocalities(maps, previous);
    ledger.setOffset(serviceEntry(previous), nothing);
  }
  for (const service of plan.removed) {
    for (const { slot } of service.destinations) retireSlot(maps, slot, nowS);
    forgetLocalities(maps, service);
    ledger.setOffset(serviceEntry(service), nothing);
  }
}
