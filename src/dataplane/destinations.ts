// The slots of the destinations map: whose each is, when it went, and what a new owner finds in it.
import { be16 } from '../kernel/codec.ts';
import type { Address } from '../model/address.ts';
import type { Destination, Scheduler, ServiceIdentity } from '../model/service.ts';
import { type Ledger, minus, nothing, rawCounters, slotEntry } from './ledger.ts';
import type { LiveService, LiveTable } from './live.ts';
import type { Maps } from './maps.ts';
import type { PlannedDestination, PlannedService } from './plan.ts';
import { mssNumber, uoaNumber } from './service-flags.ts';
import type { Slots } from './slots.ts';
import { encodeTunnel, splitTunnel } from './tunnel.ts';
import type { Numbers } from './vocabulary.ts';
import { encodeAddress, encodeKey } from './wire.ts';

export function isAvailable(maps: Maps, slot: number): boolean {
  return (maps.rows('destinations').number('flags').get(slot) & maps.vocabulary.numbers.DESTINATION_AVAILABLE) !== 0;
}

/** No slot at or above this was ever used. */
export function everUsed(maps: Maps): number {
  return maps.rows('settings').number('destinations_used').get(0);
}

type Text = (slot: number) => string;
type Texts = [Text, Text, Text];

export function readSlots(maps: Maps): Slots {
  const destinations = maps.rows('destinations');
  const deleted = destinations.number('deleted');
  const counts = ['active', 'inactive', 'persistent'].map((member) => destinations.number(member));
  const [key, rip, port] = ['key', 'rip', 'port'].map((member) => destinations.text(member)) as Texts;
  return {
    capacity: maps.instance.destination_slots,
    everUsed: everUsed(maps),
    isDeleted: (slot) => !isAvailable(maps, slot),
    isBusy: (slot) => counts.some((count) => count.get(slot) !== 0),
    deletedAtS: (slot) => deleted.get(slot),
    owner: (slot) => key(slot) + rip(slot) + port(slot),
  };
}

/** The owners that readSlots would tell for slots of this service's destinations. */
export function ownersOf({ layouts }: Maps, service: ServiceIdentity): (destination: Destination) => string {
  const key = encodeKey(layouts.struct('service_key'), service).toString('latin1');
  return ({ rip, port }) => key + lettersOf(rip) + String.fromCharCode(port >>> 8, port & 255);
}

/** As encodeAddress has it. */
function lettersOf({ bytes }: Address): string {
  return String.fromCharCode(...bytes).padEnd(16, '\0');
}

/** Makes the slots agree with the table in force, whatever a process that died in the middle of a change left of it. */
export function repairSlots(maps: Maps, { services }: LiveTable, nowS: number): void {
  const rows = maps.rows('destinations');
  const ids = rows.number('service');
  const isInForce = new Uint8Array(everUsed(maps));
  for (const service of services) {
    const { record, destinations } = service;
    const copyMember = memberCopier(maps, service);
    for (const [index, { slot }] of destinations.entries()) {
      isInForce[slot] = 1;
      copyMember(index);
      if (!isAvailable(maps, slot) || ids.get(slot) !== record.id) {
        rows.patch(slot, { service: record.id, flags: maps.vocabulary.numbers.DESTINATION_AVAILABLE });
      }
    }
  }
  for (let slot = 0; slot < isInForce.length; slot++) {
    if (!isInForce[slot] && isAvailable(maps, slot)) retireSlot(maps, slot, nowS);
  }
}

/** What a destination has of its member and its service, for packets that don't come by them. */
const copiedMembers = [
  'weight',
  'method',
  'upper_threshold',
  'lower_threshold',
  'tunnel_port',
  'asked_port',
  'tunnel',
  'mss',
  'uoa',
  'block',
  'on_remove',
] as const;

/** Copies it for one of the service's destinations, by its index among them. */
export function memberCopier(maps: Maps, service: LiveService): (index: number) => void {
  const rows = maps.rows('destinations');
  const { numbers, methods } = maps.vocabulary;
  const columns = copiedMembers.map((member) => ({ member, column: rows.number(member) }));
  const [mss, uoa] = [mssNumber(service, numbers), uoaNumber(service, numbers)];
  const onRemove = onRemoveNumber(service, numbers);
  const lightest = maps.rows('members').number('lightest');
  return (index) => {
    const destination = service.destinations[index];
    if (destination === undefined) return;
    const { slot, weight, method, askedPort = 0, upperThreshold = 0, lowerThreshold = 0 } = destination;
    const tunnel = splitTunnel(encodeTunnel(destination, numbers));
    const wanted: Readonly<Record<(typeof copiedMembers)[number], number>> = {
      weight,
      method: methods.number(method),
      upper_threshold: upperThreshold,
      lower_threshold: lowerThreshold,
      tunnel_port: be16(tunnel.port),
      asked_port: be16(askedPort),
      tunnel: tunnel.bits,
      mss,
      uoa,
      block: blockOf(maps, service, index),
      on_remove: onRemove,
    };
    const changed = columns.filter(({ member, column }) => column.get(slot) !== wanted[member]);
    for (const { member, column } of changed) column.set(slot, wanted[member]);
    if (changed.some(({ member }) => member.endsWith('_threshold'))) heedThresholds(maps, slot);
    // Its load may have changed while it was still said to be in another block.
    if (wanted.block > 0 && changed.length > 0) lightest.set(wanted.block - 1, numbers.BLOCK_CHANGED);
  };
}

function onRemoveNumber({ onRemove = 'keep' }: LiveService, numbers: Numbers): number {
  const { ON_REMOVE_KEEP: keep, ON_REMOVE_RESCHEDULE: reschedule, ON_REMOVE_RESET: reset } = numbers;
  return { keep, reschedule, reset }[onRemove];
}

/** Those that look through all destinations. */
const comparing: readonly Scheduler[] = ['lc', 'wlc', 'sed', 'nq', 'lblc', 'lblcr', 'fo', 'ovf', 'twos'];

/** 1 + where it is remembered what the scheduler wants of its block; 0: its service has only one. */
function blockOf(maps: Maps, { record }: LiveService, index: number): number {
  const { BLOCK_MEMBERS } = maps.vocabulary.numbers;
  if (record.memberCount <= BLOCK_MEMBERS || !comparing.includes(record.scheduler)) return 0;
  return 1 + record.members.start + index - (index % BLOCK_MEMBERS);
}

/** Linux 6.1 asks at the edit what it asks at each connection's beginning and end: in between a destination stays as it was. */
function heedThresholds(maps: Maps, slot: number): void {
  const read = (member: string): number => maps.rows('destinations').number(member).get(slot);
  const [upper, lower] = [read('upper_threshold'), read('lower_threshold')];
  const connections = (): number => read('active') + read('inactive');
  const isBelow = (): boolean => upper === 0 || (lower > 0 ? connections() < lower : connections() * 4 < upper * 3);
  const overloaded = maps.rows('destinations').number('overloaded');
  if (upper > 0 && connections() >= upper) overloaded.set(slot, 1);
  // Also after that: connections may just have ended that did not see it.
  if (isBelow()) overloaded.set(slot, 0);
}

/** Packets of its connections are dropped from here on. */
export function retireSlot(maps: Maps, slot: number, nowS: number): void {
  const rows = maps.rows('destinations');
  rows.number('deleted').set(slot, nowS);
  rows.number('flags').set(slot, 0);
}

/** Before the service is in force: no packet comes to a new destination yet, but to a resurrected one's old connections. */
export function prepareDestinations(maps: Maps, ledger: Ledger, service: PlannedService): void {
  const key = encodeKey(maps.layouts.struct('service_key'), service.identity);
  const rows = maps.rows('destinations');
  const copyMember = memberCopier(maps, service);
  for (const [index, destination] of service.destinations.entries()) {
    const { slot, origin } = destination;
    if (origin === 'kept') continue;
    if (origin === 'new') initialise(maps, ledger, destination, key);
    // ip_vs_add_dest: what comes back to the service that it left counts on, what comes to a new one from 0.
    else if (rows.number('service').get(slot) !== service.record.id) countAnew(maps, ledger, slot);
    rows.number('service').set(slot, service.record.id);
    copyMember(index);
    rows.number('flags').set(slot, maps.vocabulary.numbers.DESTINATION_AVAILABLE);
  }
}

function initialise(maps: Maps, ledger: Ledger, { slot, rip, port }: PlannedDestination, key: Buffer): void {
  const rows = maps.rows('destinations');
  const used = maps.rows('settings').number('destinations_used');
  countAnew(maps, ledger, slot);
  rows.clear(slot);
  rows.bytes('rip').set(slot, encodeAddress(rip));
  rows.bytes('key').set(slot, key);
  rows.number('port').set(slot, be16(port));
  rows.number('family').set(slot, rip.family);
  if (slot >= used.get(0)) used.set(0, slot + 1);
}

function countAnew(maps: Maps, ledger: Ledger, slot: number): void {
  ledger.setOffset(slotEntry(slot), minus(nothing, rawCounters(maps, slot)));
  const rates = maps.rows('rates');
  if (rates.isClear(slot)) return;
  for (const average of ['cps', 'inpps', 'outpps', 'inbps', 'outbps']) rates.bigint(average).set(slot, 0n);
}
