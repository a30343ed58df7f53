// The calling network namespace's director: the model's contract, kept over the pinned maps.
import { readFileSync } from 'node:fs';
import { withLock } from '../kernel/lock.ts';
import { netnsCookie } from '../kernel/namespace.ts';
import {
  type Connection,
  type Director,
  defaultTimeouts,
  type InstalledDestination,
  type InstalledService,
  type Timeouts,
} from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { emptyTable, type ServiceIdentity, type Table } from '../model/service.ts';
import { findService, serviceKey } from '../model/table.ts';
import { type Attachment, type AttachOptions, attach as attachPrograms } from './attach.ts';
import { readConnections } from './connections.ts';
import { createInstance, openInstance, removeDead, removeInstance } from './instance.ts';
import { destinationCounters, ratesOf, serviceCounters, zeroService } from './ledger.ts';
import type { LiveDestination, LiveService } from './live.ts';
import type { Maps } from './maps.ts';
import { findPlace, lockPath, type Place } from './place.ts';
import { readLive } from './read.ts';
import { readStatus, type Status } from './status.ts';
import { mergedTimeouts, readTimeouts, writeTimeouts } from './timeouts.ts';
import { changeTable, type Step } from './transaction.ts';
import { type TraceAnswer, type TraceQuestion, tracePacket } from './trace.ts';
import { validate } from './validate.ts';

export interface DataplaneDirector extends Director {
  /** undefined where nothing is attached. */
  status(): Status | undefined;
  /** What would be done with a packet. undefined where nothing is attached. */
  trace(question: TraceQuestion): TraceAnswer | undefined;
}

export interface OpenOptions {
  /** Make an instance with the first change, if there is none; without it, undefined is returned then. */
  readonly create: boolean;
  readonly attach?: AttachOptions;
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

/** Makes an instance if there is none, and attaches it; names and hook may differ from those of before. */
export function attach(options: AttachOptions): readonly Attachment[] {
  requireRoot();
  return withLock(lockPath(), () => {
    const place = requirePlace();
    using present = openInstance(place);
    if (present !== undefined) return attachPrograms(present, options);
    using made = createInstance(place, netnsCookie(), options);
    return readStatus(made).attachments;
  });
}

/** Takes everything away. False when there was nothing. */
export function detach(): boolean {
  requireRoot();
  return withLock(lockPath(), () => {
    removeDead();
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
    return maps === undefined ? [] : readLive(maps).services.map((service) => toInstalled(maps, service));
  }

  connections(): Iterable<Connection> {
    return this.#maps === undefined ? [] : readConnections(this.#maps);
  }

  timeouts(): Timeouts {
    return this.#maps === undefined ? defaultTimeouts : readTimeouts(this.#maps);
  }

  setTimeouts(timeouts: Timeouts): void {
    mergedTimeouts(defaultTimeouts, timeouts);
    withLock(lockPath(), () => writeTimeouts(this.#current() ?? this.#create(), timeouts));
  }

  change(edit: (installed: Table) => Table): void {
    withLock(lockPath(), () => {
      const maps = this.#current();
      if (maps === undefined) this.#createWith(edit(emptyTable));
      else this.#run(maps, edit);
    });
  }

  zero(identity?: ServiceIdentity): void {
    withLock(lockPath(), () => {
      const maps = this.#current();
      const services = maps === undefined ? [] : readLive(maps).services;
      const one = identity === undefined ? undefined : findService(services, identity);
      if (identity !== undefined && one === undefined)
        throw new FairleadError('service-missing', `there is no service ${serviceKey(identity)}`);
      if (maps !== undefined) for (const service of one === undefined ? services : [one]) zeroService(maps, service);
    });
  }

  status(): Status | undefined {
    return this.#maps === undefined ? undefined : readStatus(this.#maps);
  }

  trace(question: TraceQuestion): TraceAnswer | undefined {
    return this.#maps === undefined ? undefined : tracePacket(this.#maps, question);
  }

  [Symbol.dispose](): void {
    this.#maps?.[Symbol.dispose]();
    this.#maps = undefined;
  }

  /** What is pinned now: since this was opened another process may have made the instance, or removed it. */
  #current(): Maps | undefined {
    const place = findPlace(false);
    const maps = place === undefined ? undefined : openInstance(place);
    this.#maps?.[Symbol.dispose]();
    this.#maps = maps;
    return maps;
  }

  /** Nothing is made for a table that can't be installed, or that is empty. */
  #createWith(wanted: Table): void {
    validate(wanted);
    if (wanted.services.length === 0) return;
    const maps = this.#create();
    try {
      this.#run(maps, () => wanted);
    } catch (error) {
      this[Symbol.dispose]();
      removeInstance(requirePlace());
      throw error;
    }
  }

  #create(): Maps {
    if (!this.#options.create) throw new FairleadError('not-attached', 'nothing is attached in this network namespace');
    const maps = createInstance(requirePlace(), netnsCookie(), this.#options.attach);
    this.#maps = maps;
    return maps;
  }

  #run(maps: Maps, edit: (installed: Table) => Table): void {
    for (const step of changeTable(maps, edit, bootSeconds())) this.#options.onStep?.(step);
  }
}

function toInstalled(maps: Maps, service: LiveService): InstalledService {
  const { identity, scheduler, localAddresses } = service;
  return {
    identity,
    scheduler,
    localAddresses,
    destinations: service.destinations.map((destination) => toInstalledDestination(maps, destination)),
    counters: serviceCounters(maps, service),
    rates: ratesOf(maps, service.destinations),
  };
}

function toInstalledDestination(maps: Maps, destination: LiveDestination): InstalledDestination {
  const { rip, port, method, weight, slot } = destination;
  const rows = maps.rows('destinations');
  return {
    rip,
    port,
    method,
    weight,
    activeConnections: rows.number('active').get(slot),
    inactiveConnections: rows.number('inactive').get(slot),
    persistentConnections: rows.number('persistent').get(slot),
    counters: destinationCounters(maps, destination),
    rates: ratesOf(maps, [destination]),
  };
}

function requireRoot(): void {
  if (process.geteuid?.() !== 0)
    throw new FairleadError('not-root', 'Permission denied (you must be root)', { hint: 'run it as root' });
}

function requirePlace(): Place {
  const place = findPlace(true);
  if (place === undefined) throw new FairleadError('no-bpf', 'there is no BPF file system');
  return place;
}

/** CLOCK_BOOTTIME. */
function bootSeconds(): number {
  return Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));
}
