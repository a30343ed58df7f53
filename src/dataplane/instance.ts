// One namespace's instance: made whole or not at all, found again by later processes, and removed without a trace.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { jiffiesPerSecond } from '../kernel/clock.ts';
import { encodeInto } from '../kernel/codec.ts';
import { EPERM } from '../kernel/errno.ts';
import { possibleCpus } from '../kernel/libbpf.ts';
import { withLock } from '../kernel/lock.ts';
import { BpfMap } from '../kernel/map.ts';
import { createNetnsSentinel, isNetnsAlive } from '../kernel/namespace.ts';
import { BpfObject } from '../kernel/object.ts';
import { BpfProgram } from '../kernel/program.ts';
import { defaultTimeouts } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { type AttachOptions, attach, createAttachments, detach } from './attach.ts';
import { createLedger } from './ledger.ts';
import { Maps } from './maps.ts';
import { allPlaces, objectPath, type Place } from './place.ts';
import { readLocalPorts } from './ports.ts';
import { createTable } from './service_table.ts';
import { defaultSizes, mapSizes, type Sizes } from './sizes.ts';
import { timeoutRow } from './timeouts.ts';
import { layoutVersion } from './version.ts';
import { readVocabulary } from './vocabulary.ts';

const sentinelName = 'sentinel';

/** undefined when there is none. */
export function openInstance(place: Place): Maps | undefined {
  if (!existsSync(join(place.directory, 'instances'))) return undefined;
  const layouts = readObjectLayouts();
  const maps = new Maps(place.directory, layouts);
  const { version } = maps.instance;
  if (version === layoutVersion(layouts)) return maps;
  maps[Symbol.dispose]();
  throw new FairleadError('not-attached', `another version of fairlead is attached in this network namespace`, {
    hint: 'run fairlead detach, then start again',
  });
}

/** Under the instance's lock. Undoes everything when anything fails. */
export function createInstance(place: Place, cookie: bigint, options: AttachOptions = {}): Maps {
  removeDead();
  removeUnfinished(place);
  const layouts = readObjectLayouts();
  const cpus = possibleCpus();
  const sizes = defaultSizes(cpus);
  mkdirSync(place.unfinished, { mode: 0o700 });
  try {
    build(place.unfinished, layouts, instanceRow(layouts, cookie, sizes, cpus), mapSizes(sizes, cpus));
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
  removeUnfinished(place);
  return true;
}

function removeUnfinished({ unfinished }: Place): boolean {
  if (!existsSync(unfinished)) return false;
  if (existsSync(join(unfinished, 'attachments'))) {
    using maps = new Maps(unfinished, readObjectLayouts());
    detach(maps);
  }
  removeDirectory(unfinished);
  return true;
}

/** What namespaces that are gone left pinned; the kernel has taken their attachments away already. */
export function removeDead(): void {
  for (const { directory, unfinished, lock } of allPlaces()) {
    if (!existsSync(directory) || isAlive(directory)) continue;
    withLock(lock, () => {
      if (existsSync(directory) && !isAlive(directory)) removeDirectory(directory);
    });
    if (existsSync(unfinished)) removeDirectory(unfinished);
  }
}

function isAlive(directory: string): boolean {
  using sentinel = BpfMap.openPinned(join(directory, sentinelName));
  return sentinel === undefined || isNetnsAlive(sentinel);
}

function removeDirectory(directory: string): void {
  for (const name of readdirSync(directory)) unlinkSync(join(directory, name));
  rmdirSync(directory);
}

function readObjectLayouts(): Layouts {
  if (!existsSync(objectPath))
    throw new FairleadError('no-bpf', `the data plane is not built: ${objectPath} is missing`, {
      hint: 'run npm run build',
    });
  return readLayouts(objectPath);
}

function instanceRow(layouts: Layouts, cookie: bigint, { flowSlots, destinationSlots }: Sizes, cpus: number): object {
  return {
    netns_cookie: cookie,
    hash_seed: [randomBytes(8).readBigUInt64LE(), randomBytes(8).readBigUInt64LE()],
    flow_slots: flowSlots,
    destination_slots: destinationSlots,
    cpus,
    ...readLocalPorts(),
    version: layoutVersion(layouts),
  };
}

function build(directory: string, layouts: Layouts, row: object, sizes: Readonly<Record<string, number>>): void {
  using sentinel = createNetnsSentinel(sentinelName);
  sentinel.pin(join(directory, sentinelName));
  using object = openObject();
  for (const [map, entries] of Object.entries(sizes)) object.setMaxEntries(map, entries);
  const constants = object.constants();
  const config = layouts.variables('.rodata').field('config');
  encodeInto(layouts.struct('instance'), row, constants, config.offset);
  object.setConstants(constants);
  object.load();
  pinOwn(directory, layouts, sizes);
  for (const name of object.mapNames().filter((one) => !one.includes('.'))) pinMap(object, name, directory);
  for (const name of object.programNames()) {
    using program = object.program(name);
    program.pin(join(directory, name));
  }
  using maps = new Maps(directory, layouts);
  maps.rows('instances').write(0, row);
  maps
    .rows('settings')
    .write(0, { timeout_s: timeoutRow(readVocabulary(layouts), defaultTimeouts), hz: jiffiesPerSecond() });
  using table = createTable(maps, 0);
  maps.map('service_tables').update(Buffer.alloc(4), Buffer.from(Uint32Array.of(table.fd).buffer));
  runStart(directory);
}

/** Maps that only user space uses. */
function pinOwn(directory: string, layouts: Layouts, sizes: Readonly<Record<string, number>>): void {
  using ledger = createLedger({ layouts }, (sizes['members'] ?? 0) + (sizes['destinations'] ?? 0));
  ledger.pin(join(directory, 'ledger'));
  using attachments = createAttachments();
  attachments.pin(join(directory, 'attachments'));
}

function pinMap(object: BpfObject, name: string, directory: string): void {
  using map = object.map(name);
  map.pin(join(directory, name));
}

function openObject(): BpfObject {
  if (process.geteuid?.() !== 0) throw new FairleadError('not-root', 'Permission denied (you must be root)');
  if (!existsSync('/sys/kernel/btf/vmlinux')) {
    throw new FairleadError('no-bpf', 'this kernel has no BTF (/sys/kernel/btf/vmlinux is missing)', {
      hint: 'it must be built with CONFIG_DEBUG_INFO_BTF',
    });
  }
  return BpfObject.open(objectPath);
}

function runStart(directory: string): void {
  using start = BpfProgram.openPinned(join(directory, 'start'));
  const result = start?.testRun({}).returnValue ?? -EPERM;
  if (result !== 0)
    throw new FairleadError('kernel', `the timer that ends idle connections did not start: error ${-result}`);
}
