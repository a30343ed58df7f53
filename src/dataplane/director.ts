// The calling network namespace's director: the model's contract, kept over the pinned maps.
import { existsSync } from 'node:fs';
import { bootSeconds } from '../kernel/clock.ts';
import { interfaces } from '../kernel/interfaces.ts';
import { removeLockFile, withLock } from '../kernel/lock.ts';
import { netnsCookie } from '../kernel/namespace.ts';
import {
  type Connection,
  type ConnectionPage,
  type Director,
  defaultTimeouts,
  type InstalledDestination,
  type InstalledService,
  type Load,
  type Loads,
  type Timeouts,
} from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { type Everything, nothingInstalled } from '../model/everything.ts';
import type { MarkRules } from '../model/mark.ts';
import { emptyTable, type ServiceIdentity, type Table } from '../model/service.ts';
import { initialSettings, type Settings } from '../model/settings.ts';
import type { SyncDaemon } from '../model/sync.ts';
import { destinationKey, findService, serviceKey } from '../model/table.ts';
import { type Attachment, attachments, attachNew, attach as attachPrograms } from './attach.ts';
import { chooseInterfaces } from './choose.ts';
import { readConnectionPage, readConnections } from './connections.ts';
import { isNothing, putEverything, readEverything } from './everything.ts';
import { ensureForwarding } from './forwarding.ts';
import {
  createInstance,
  type InstanceOptions,
  isOfThisBuild,
  openAnyInstance,
  openInstance,
  removeDead,
  removeInstance,
} from './instance.ts';
import {
  type Ledger,
  nothing,
  openLedger,
  plus,
  ratesOf,
  rawCounters,
  serviceEntry,
  slotEntry,
  sumOf,
  zeroService,
} from './ledger.ts';
import { type LiveDestination, type LiveService, servicesByKey, toTable } from './live.ts';
import type { Maps } from './maps.ts';
import { followInterfaces, readMarkRules, writeMarkRules } from './mark-rules.ts';
import { attachOwn } from './own.ts';
import { findPlace, lockPath, type Place } from './place.ts';
import { removeProbePaths } from './probe-paths.ts';
import { readLive } from './read.ts';
import { readSettings, writeSettings } from './settings.ts';
import { largerDestinationSlots, readUnits, slotsFor } from './sizes.ts';
import { type Fills, readFills, readStatus, type Status } from './status.ts';
import { readSyncDaemons, writeSyncDaemons } from './sync.ts';
import { settle, takeOver } from './takeover/takeover.ts';
import { mergedTimeouts, readTimeouts, writeTimeouts } from './timeouts.ts';
import { type TraceAnswer, type TraceQuestion, tracePacket } from './trace.ts';
import { changeTable, type Step } from './transaction.ts';
import { validate } from './validate.ts';

export interface DataplaneDirector extends Director {
  /** undefined where nothing is attached. */
  status(): Status | undefined;
  /** Of the status, what can be asked often. undefined where nothing is attached. */
  fills(): Fills | undefined;
  /** Of the destinations of these services, by serviceKey. */
  loads(services: ReadonlySet<string>): Loads;
  /** As many as `most` of its connections, from 0 or from where the page before says. */
  connectionPage(from: number, most: number): ConnectionPage;
  /** What gives packets marks. */
  markRules(): MarkRules;
  /** All or nothing, at once. Throws what the edit throws, and table-full. */
  changeMarkRules(edit: (present: MarkRules) => MarkRules): void;
  /** What would be done with a packet. undefined where nothing is attached. */
  trace(question: TraceQuestion): TraceAnswer | undefined;
  /** What IPVS has under net.ipv4.vs. */
  settings(): Settings;
  /** All of them or none. */
  changeSettings(wanted: Partial<Settings>): void;
  everything(): Everything;
  /** Runs `edit` under the namespace's lock on all that is held, and puts what it returns in its place, whole or not at all. */
  changeEverything(edit: (present: Everything) => Everything): void;
}

export interface OpenOptions {
  /** Make an instance with the first change, if there is none; without it, undefined is returned then. */
  readonly create: boolean;
  readonly attach?: InstanceOptions;
  /** Told of what is not as one might expect, and no reason to fail. */
  readonly warn?: (text: string) => void;
  /** Called after each step of a change. */
  readonly onStep?: (step: Step) => void;
}

/** Throws not-root and no-bpf. */
export function openDirector(options: OpenOptions): DataplaneDirector | undefined {
  requireRoot();
  const place = findPlace(false);
  const maps = place === undefined ? undefined : openInstance(place);
  return maps === undefined && !options.create ? undefined : new PinnedDirector(maps, options);
}

/**
 * Makes an instance if there is none, and attaches it to just these interfaces. Done again it changes interfaces and hook,
 * and puts the programs as they are built now in the place of those before; no packet is lost by that.
 */
export function attach(options: InstanceOptions): readonly Attachment[] {
  requireRoot();
  return exclusively(() => {
    const place = requirePlace();
    settle(place);
    using present = openAnyInstance(place);
    if (present === undefined) {
      using made = createInstance(place, netnsCookie(), options);
      return attachments(made);
    }
    requireSize(present, options.connections);
    chooseInterfaces(interfaces(), options.interfaces);
    takeOver(place, present);
    using maps = openAnyInstance(place);
    if (maps === undefined) return [];
    followInterfaces(maps);
    return attachPrograms(maps, options);
  });
}

/**
 * Where programs of another build are attached, those of this one take their place, at the same interfaces. False where there was
 * nothing to do.
 */
export function upgrade(): boolean {
  requireRoot();
  return exclusively(() => {
    const place = findPlace(false);
    if (place === undefined) return false;
    settle(place);
    using present = openAnyInstance(place);
    if (present === undefined || isOfThisBuild(present)) return false;
    takeOver(place, present);
    return true;
  });
}

function requireSize(maps: Maps, connections: number | undefined): void {
  if (connections === undefined || slotsFor(readUnits(maps.layouts), connections) === maps.instance.flow_slots) return;
  throw new FairleadError('bad-input', 'the size of the connection table is chosen when it is made', {
    hint: 'run fairlead detach, then attach again',
  });
}

/** Takes everything away. False when there was nothing. */
export function detach(): boolean {
  requireRoot();
  return exclusively(() => {
    removeDead();
    removeProbePaths();
    const place = findPlace(false);
    return place !== undefined && removeInstance(place);
  });
}

class PinnedDirector implements DataplaneDirector {
  #maps: Maps | undefined;
  readonly #options: OpenOptions;

  /** Without maps there is no instance yet: the first change makes it. */
  constructor(maps: Maps | undefined, options: OpenOptions) {
    this.#maps = maps;
    this.#options = options;
  }

  services(): readonly InstalledService[] {
    const maps = this.#maps;
    if (maps === undefined) return [];
    const ledger = openLedger(maps);
    return readLive(maps).services.map((service) => toInstalled(maps, ledger, service));
  }

  connections(): Iterable<Connection> {
    return this.#maps === undefined ? [] : readConnections(this.#maps);
  }

  loads(services: ReadonlySet<string>): Loads {
    const maps = this.#maps;
    const loads = new Map<string, Load>();
    if (maps === undefined) return loads;
    const known = servicesByKey(readLive(maps));
    for (const service of services) {
      for (const destination of known.get(service)?.destinations ?? [])
        loads.set(`${service} ${destinationKey(destination)}`, loadOf(maps, destination));
    }
    return loads;
  }

  connectionPage(from: number, most: number): ConnectionPage {
    const maps = this.#maps;
    return maps === undefined ? { connections: [], next: undefined } : readConnectionPage(maps, from, most);
  }

  timeouts(): Timeouts {
    return this.#maps === undefined ? defaultTimeouts : readTimeouts(this.#maps);
  }

  setTimeouts(timeouts: Timeouts): void {
    mergedTimeouts(defaultTimeouts, timeouts);
    exclusively(() => writeTimeouts(this.#current() ?? this.#create(), timeouts));
  }

  settings(): Settings {
    return this.#maps === undefined ? initialSettings : readSettings(this.#maps);
  }

  changeSettings(wanted: Partial<Settings>): void {
    exclusively(() => writeSettings(this.#current() ?? this.#create(), wanted));
  }

  syncDaemons(): readonly SyncDaemon[] {
    return this.#maps === undefined ? [] : readSyncDaemons(this.#maps);
  }

  changeSyncDaemons(edit: (present: readonly SyncDaemon[]) => readonly SyncDaemon[]): void {
    exclusively(() => {
      const maps = this.#current();
      const wanted = edit(maps === undefined ? [] : readSyncDaemons(maps));
      writeSyncDaemons(maps ?? this.#create(), wanted);
    });
  }

  markRules(): MarkRules {
    return this.#maps === undefined ? [] : readMarkRules(this.#maps);
  }

  changeMarkRules(edit: (present: MarkRules) => MarkRules): void {
    exclusively(() => {
      const maps = this.#current();
      const wanted = edit(maps === undefined ? [] : readMarkRules(maps));
      if (maps === undefined && wanted.length === 0) return;
      writeMarkRules(maps ?? this.#create(), wanted);
    });
  }

  change(edit: (installed: Table) => Table): void {
    exclusively(() => {
      const maps = this.#current();
      if (maps === undefined) this.#createWith(edit(emptyTable));
      else this.#follow(this.#withRoom(maps, (roomy, told) => this.#run(roomy, telling(edit, told))));
    });
  }

  everything(): Everything {
    const maps = this.#maps;
    return maps === undefined ? nothingInstalled : readEverything(maps, toTable(readLive(maps)));
  }

  changeEverything(edit: (present: Everything) => Everything): void {
    exclusively(() => {
      const present = this.#current();
      if (present !== undefined) {
        const change = (roomy: Maps, told: (wanted: Table) => void): void =>
          putEverything(roomy, edit, (maps, tableEdit) => this.#run(maps, telling(tableEdit, told)));
        this.#follow(this.#withRoom(present, change));
        return;
      }
      const wanted = edit(nothingInstalled);
      if (isNothing(wanted)) return;
      validate(wanted.table);
      this.#orNothing(this.#create(wanted.table), (maps) =>
        putEverything(
          maps,
          () => wanted,
          (one, tableEdit) => this.#run(one, tableEdit),
        ),
      );
    });
  }

  zero(identity?: ServiceIdentity): void {
    exclusively(() => {
      const maps = this.#current();
      const services = maps === undefined ? [] : readLive(maps).services;
      const one = identity === undefined ? undefined : findService(services, identity);
      if (identity !== undefined && one === undefined) {
        throw new FairleadError('service-missing', `there is no service ${serviceKey(identity)}`);
      }
      if (maps === undefined) return;
      const ledger = openLedger(maps);
      for (const service of one === undefined ? services : [one]) zeroService(maps, ledger, service);
    });
  }

  status(): Status | undefined {
    return this.#maps === undefined ? undefined : readStatus(this.#maps);
  }

  fills(): Fills | undefined {
    return this.#maps === undefined ? undefined : readFills(this.#maps);
  }

  trace(question: TraceQuestion): TraceAnswer | undefined {
    const maps = this.#maps;
    // The answer is in one place for all who ask.
    return maps === undefined ? undefined : exclusively(() => tracePacket(maps, question));
  }

  [Symbol.dispose](): void {
    this.#maps?.[Symbol.dispose]();
    this.#maps = undefined;
  }

  /** What is pinned now: since this was opened another process may have made the instance, or removed it. */
  #current(): Maps | undefined {
    const place = findPlace(false);
    if (place !== undefined) settle(place);
    if (place !== undefined && this.#maps?.isPinnedIn(place.directory)) return this.#maps;
    const maps = place === undefined ? undefined : openInstance(place);
    this.#maps?.[Symbol.dispose]();
    this.#maps = maps;
    return maps;
  }

  /** Nothing is made for a table that can't be installed, or that is empty. */
  #createWith(wanted: Table): void {
    validate(wanted);
    if (wanted.services.length === 0) return;
    this.#orNothing(this.#create(wanted), (maps) => this.#run(maps, () => wanted));
  }

  /** An instance that was made for a change that fails is taken away. */
  #orNothing(made: Maps, work: (made: Maps) => void): void {
    try {
      work(made);
    } catch (error) {
      this[Symbol.dispose]();
      removeInstance(requirePlace());
      throw error;
    }
  }

  /** With room for the table that comes first. */
  #create(first: Table = emptyTable): Maps {
    if (!this.#options.create) throw new FairleadError('not-attached', 'nothing is attached in this network namespace');
    const { attach: attaching, warn } = this.#options;
    const destinations = first.services.reduce((sum, service) => sum + service.destinations.length, 0);
    const maps = createInstance(requirePlace(), netnsCookie(), { ...(warn && { warn }), destinations, ...attaching });
    this.#maps = maps;
    return maps;
  }

  #run(maps: Maps, edit: (installed: Table) => Table): void {
    for (const step of changeTable(maps, edit, bootSeconds())) this.#options.onStep?.(step);
    ensureForwarding(maps);
    attachOwn(maps);
  }

  /** What came with the change, or meanwhile. */
  #follow(maps: Maps): void {
    attachNew(maps);
    followInterfaces(maps);
  }

  /** A change that finds no room is made again where there is more. */
  #withRoom(maps: Maps, change: (maps: Maps, told: (wanted: Table) => void) => void): Maps {
    const slots = maps.instance.destination_slots;
    let destinations = 0;
    const told = ({ services }: Table): void => {
      destinations = services.reduce((sum, service) => sum + service.destinations.length, 0);
      // Found out at once, not when all that there is room for is planned.
      if (destinations > slots) throw new FairleadError('table-full', `no room for ${destinations} destinations`);
    };
    try {
      change(maps, told);
      return maps;
    } catch (error) {
      if (!(error instanceof FairleadError) || error.code !== 'table-full' || destinations === 0) throw error;
      const larger = this.#enlarge(maps, largerDestinationSlots(slots, destinations));
      return this.#withRoom(larger, change);
    }
  }

  #enlarge(maps: Maps, destinationSlots: number): Maps {
    const place = requirePlace();
    takeOver(place, maps, { destinationSlots });
    const larger = openInstance(place);
    if (larger === undefined) throw new FairleadError('not-attached', 'the instance is gone while it was made larger');
    maps[Symbol.dispose]();
    this.#maps = larger;
    return larger;
  }
}

/** `told` hears what the edit wants. */
function telling(edit: (installed: Table) => Table, told: (wanted: Table) => void): typeof edit {
  return (installed) => {
    const wanted = edit(installed);
    told(wanted);
    return wanted;
  };
}

function toInstalled(maps: Maps, ledger: Ledger, service: LiveService): InstalledService {
  const { record: _, destinations, ...rest } = service;
  const counted = destinations.map(({ slot }) => rawCounters(maps, slot));
  const slots = destinations.map(({ slot }) => slot);
  return {
    ...rest,
    destinations: destinations.map((destination, index) => ({
      ...toInstalledDestination(maps, destination),
      counters: plus(counted[index] ?? nothing, ledger.offset(slotEntry(destination.slot))),
    })),
    counters: plus(sumOf(counted), ledger.offset(serviceEntry(service))),
    rates: ratesOf(maps, slots),
  };
}

function toInstalledDestination(maps: Maps, destination: LiveDestination): Omit<InstalledDestination, 'counters'> {
  const { slot, lastWeight: _, ...rest } = destination;
  return {
    ...rest,
    ...loadOf(maps, destination),
    persistentConnections: maps.rows('destinations').number('persistent').get(slot),
    rates: ratesOf(maps, [slot]),
  };
}

function loadOf(maps: Maps, { slot }: LiveDestination): Load {
  const rows = maps.rows('destinations');
  return {
    activeConnections: rows.number('active').get(slot),
    inactiveConnections: rows.number('inactive').get(slot),
    failures: rows.number('failures').get(slot),
  };
}

/** Under the namespace's lock, whose file stays only as long as there is an instance. */
function exclusively<T>(work: () => T): T {
  const path = lockPath();
  return withLock(path, () => {
    try {
      return work();
    } finally {
      const place = findPlace(false);
      if (place === undefined || !existsSync(place.directory)) removeLockFile(path);
    }
  });
}

/** Throws not-root. */
export function requireRoot(): void {
  if (process.geteuid?.() !== 0)
    throw new FairleadError('not-root', 'Permission denied (you must be root)', { hint: 'run it as root' });
}

function requirePlace(): Place {
  const place = findPlace(true);
  if (place === undefined) throw new FairleadError('no-bpf', 'there is no BPF file system');
  return place;
}
