// One namespace's instance: made whole or not at all, found again by later processes, and removed without a trace.
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layouts, TypeLayouts } from '../kernel/btf.ts';
import { jiffiesPerSecond } from '../kernel/clock.ts';
import { possibleCpus } from '../kernel/libbpf.ts';
import { removeLockFile, withLock } from '../kernel/lock.ts';
import { BpfMap } from '../kernel/map.ts';
import { readMapTypes } from '../kernel/map-types.ts';
import { createNetnsSentinel, isNetnsAlive } from '../kernel/namespace.ts';
import { defaultTimeouts } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { initialSettings } from '../model/settings.ts';
import { type AttachOptions, attach, detach } from './attach.ts';
import { acceptsLocal, isForwarding } from './forwarding.ts';
import { createLedger } from './ledger.ts';
import { loadNew, readBuild, readObjectLayouts, startTimer } from './load.ts';
import { Maps } from './maps.ts';
import { createMemory } from './memory.ts';
import { allPlaces, type Place } from './place.ts';
import { readLocalPorts } from './ports.ts';
import { createTable, putInForce } from './service_table.ts';
import { chooseSizes, ledgerEntries, mapSizes, readUnits, type Sizes } from './sizes.ts';
import { keptStructs } from './takeover/kept.ts';
import { timeoutRow } from './timeouts.ts';
import { layoutVersion } from './version.ts';

const sentinelName = 'sentinel';
/** Nothing is attached before all is pinned, and this comes last. */
const lastPinned = 'attachments';

export interface InstanceOptions extends AttachOptions {
  /** How many connections the table shall hold. */
  readonly connections?: number;
  /** How many the first table has. */
  readonly destinations?: number;
}

/** undefined when there is none. Throws not-attached where it is laid out as another version has it. */
export function openInstance(place: Place): Maps | undefined {
  const maps = openAnyInstance(place);
  if (maps === undefined || maps.instance.version === layoutVersion(readObjectLayouts())) return maps;
  maps[Symbol.dispose]();
  throw new FairleadError('not-attached', 'another version of fairlead is attached in this network namespace', {
    hint: 'run fairlead attach, which brings what it holds to this one; no connection is lost by that',
  });
}

/** Also another version's: with the structs as that one has them, and with the numbers of this one. */
export function openAnyInstance({ directory }: Place): Maps | undefined {
  return existsSync(join(directory, 'instances')) ? new Maps(directory, layoutsOf(directory)) : undefined;
}

export function isOfThisBuild(maps: Maps): boolean {
  return maps.instance.version === layoutVersion(readObjectLayouts()) && maps.instance.build === readBuild();
}

/** What the kernel knows of the maps' types takes milliseconds to read: of its own version a build knows the structs that are kept. */
function layoutsOf(directory: string): Layouts {
  const own = readObjectLayouts();
  using instances = BpfMap.openPinned(join(directory, 'instances'));
  const kept = instances !== undefined && isOfVersion(instances, own) ? keptStructs : [];
  let types: TypeLayouts | undefined;
  return {
    ...own,
    struct(name) {
      if (kept.includes(name)) return own.struct(name);
      types ??= pinnedTypes(directory) ?? own;
      return types.struct(name);
    },
  };
}

/** Whether this version's number is where this version has it. */
function isOfVersion(instances: BpfMap, layouts: Layouts): boolean {
  const layout = layouts.struct('instance');
  if (instances.info.valueSize !== layout.size) return false;
  const row = instances.lookup(Buffer.alloc(instances.info.keySize));
  return row?.readUInt32LE(layout.field('version').offset) === layoutVersion(layouts);
}

/** As whoever made them has them, by the kernel's word. undefined: it has none. */
export function pinnedTypes(directory: string): TypeLayouts | undefined {
  using instances = BpfMap.openPinned(join(directory, 'instances'));
  return instances && readMapTypes(instances);
}

/** Under the instance's lock. Undoes everything when anything fails. */
export function createInstance(place: Place, cookie: bigint, options: InstanceOptions = {}): Maps {
  removeDead();
  removeUnfinished(place);
  const layouts = readObjectLayouts();
  const cpus = possibleCpus();
  const units = readUnits(layouts);
  const sizes = chooseSizes(units, cpus, options.connections, undefined, options.destinations);
  mkdirSync(place.unfinished, { mode: 0o700 });
  try {
    build(place.unfinished, layouts, instanceRow(layouts, cookie, sizes, cpus), mapSizes(units, sizes, cpus));
    using maps = new Maps(place.unfinished, layouts);
    attach(maps, options);
    renameSync(place.unfinished, place.directory);
    return new Maps(place.directory, layouts);
  } catch (error) {
    removeUnfinished(place);
    throw error;
  }
}

/** Under the instance's lock. False when there was nothing to remove. */
export function removeInstance(place: Place): boolean {
  const wasThere = removeUnfinished(place);
  if (!existsSync(place.directory)) return wasThere;
  // First its name, so that whoever comes now finds it whole or not at all.
  renameSync(place.directory, place.unfinished);
  return removeUnfinished(place);
}

/** What namespaces that are gone left pinned; the kernel has taken their attachments away already. */
export function removeDead(): void {
  for (const place of allPlaces()) {
    if (!isDead(place.directory) && !isDead(place.unfinished)) continue;
    withLock(place.lock, () => {
      for (const directory of [place.directory, place.unfinished]) if (isDead(directory)) removeDirectory(directory);
      const { lock, memory, journal, api } = place.daemon;
      for (const path of [lock, memory, `${memory}.health`, journal, `${journal}.1`, api])
        rmSync(path, { force: true });
      removeLockFile(place.lock);
    });
  }
}

/** Without the sentinel nobody can tell: then it may be one that is just being made. */
function isDead(directory: string): boolean {
  using sentinel = BpfMap.openPinned(join(directory, sentinelName));
  return sentinel !== undefined && !isNetnsAlive(sentinel);
}

/** False when there was nothing. Beside a whole instance nothing of it is attached: one of the two was to take the other's place. */
export function removeUnfinished({ unfinished, directory }: Place): boolean {
  if (!existsSync(unfinished)) return false;
  if (existsSync(join(unfinished, lastPinned)) && !existsSync(directory)) {
    using maps = new Maps(unfinished, layoutsOf(unfinished));
    detach(maps);
  }
  removeDirectory(unfinished);
  return true;
}

/** In an order in which a removal that is cut short can be done again: what there was to detach first, who lives last. */
function removeDirectory(directory: string): void {
  const others = readdirSync(directory).filter((name) => name !== lastPinned && name !== sentinelName);
  for (const name of [lastPinned, ...others, sentinelName]) rmSync(join(directory, name), { force: true });
  rmdirSync(directory);
}

function instanceRow(layouts: Layouts, cookie: bigint, { flowSlots, destinationSlots }: Sizes, cpus: number): object {
  return {
    netns_cookie: cookie,
    hash_seed: [...crypto.getRandomValues(new BigUint64Array(2))],
    pair_keys: [...crypto.getRandomValues(new BigUint64Array(4))],
    flow_slots: flowSlots,
    destination_slots: destinationSlots,
    cpus,
    ...readLocalPorts(),
    version: layoutVersion(layouts),
    build: readBuild(),
    lo_forwarding: isForwarding(4) ? 1 : 0,
    lo_forwarding_six: isForwarding(6) ? 1 : 0,
    lo_accept_local: acceptsLocal() ? 1 : 0,
  };
}

function build(directory: string, layouts: Layouts, row: object, sizes: Readonly<Record<string, number>>): void {
  using sentinel = createNetnsSentinel(sentinelName);
  sentinel.pin(join(directory, sentinelName));
  loadNew(directory, layouts, { instance: row, sizes });
  using maps = new Maps(directory, layouts);
  maps.rows('instances').patch(0, row);
  maps.rows('settings').patch(0, {
    timeout_s: timeoutRow(maps.vocabulary, defaultTimeouts),
    hz: jiffiesPerSecond(),
    ...initialSettings,
  });
  using table = createTable(maps, 0);
  putInForce(maps, table);
  haveSwept(maps, sizes.flows ?? 0);
  startTimer(directory);
  using ledger = createLedger(layouts, ledgerEntries(sizes));
  ledger.pin(join(directory, 'ledger'));
  using memory = createMemory();
  memory.pin(join(directory, lastPinned));
}

/**
 * Has the sweep look at the whole table once, empty as it is. In virtual machines the first access to a page of it may take
 * microseconds, for the host gives memory or maps it only then: better the timer's than one of a client's packet.
 */
function haveSwept(maps: Maps, slots: number): void {
  const { SLOTS_PER_PAGE, PAGES_PER_WORD } = maps.vocabulary.numbers;
  const words = maps.words('flow_pages');
  const pages = Math.ceil(slots / SLOTS_PER_PAGE);
  for (let page = 0; page < pages; page += PAGES_PER_WORD)
    words.set(page / PAGES_PER_WORD, (1n << BigInt(Math.min(pages - page, PAGES_PER_WORD))) - 1n);
}
