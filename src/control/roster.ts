// Who is declared: services and destinations by their keys, and the probes that judge them. What is declared as before is not looked at
// again.
import type { Probe } from '../health/monitor.ts';
import type { Check } from '../model/check.ts';
import type { DeclaredDestination, DeclaredService } from '../model/declared.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { isProbed, probeOf, type Surroundings } from './probes.ts';

export interface Declaration {
  readonly service: DeclaredService;
  readonly destination: DeclaredDestination;
}

interface Entry {
  readonly service: DeclaredService;
  readonly destinations: ReadonlyMap<string, DeclaredDestination>;
  /** By destinationKey: keys of the probes that must all find it well. Only those that have any. */
  readonly probes: ReadonlyMap<string, readonly string[]>;
  readonly hasPaths: boolean;
}

const none: readonly string[] = [];

export class Roster {
  /** By serviceKey. */
  readonly #entries = new Map<string, Entry>();
  readonly #probes = new Map<string, Probe>();
  /** By probe: the subjects that it is one of. */
  readonly #judged = new Map<string, Set<string>>();
  #ownAddresses = '';

  /** Makes it what is declared. Returns the services that were not, or not like that. */
  enrol(services: readonly DeclaredService[], around: Surroundings): readonly DeclaredService[] {
    const isElsewhere = around.own.text !== this.#ownAddresses;
    this.#ownAddresses = around.own.text;
    const left = new Set(this.#entries.keys());
    const fresh: DeclaredService[] = [];
    for (const service of services) {
      const key = serviceKey(service.identity);
      left.delete(key);
      const before = this.#entries.get(key);
      if (before?.service !== service) fresh.push(service);
      else if (!before.hasPaths && !isElsewhere) continue;
      this.#strike(key);
      this.#enter(key, service, around);
    }
    for (const key of left) this.#strike(key);
    return fresh;
  }

  /** By destinationSubject's text. */
  find(subject: string): Declaration | undefined {
    const [entry, key] = this.#locate(subject);
    const destination = entry?.destinations.get(key);
    return entry && destination && { service: entry.service, destination };
  }

  service(key: string): DeclaredService | undefined {
    return this.#entries.get(key)?.service;
  }

  /** Keys of all probes of a destination. */
  probesOf(subject: string): readonly string[] {
    const [entry, key] = this.#locate(subject);
    return entry?.probes.get(key) ?? none;
  }

  /** Subjects of the destinations that a probe judges. */
  judgedBy(probe: string): Iterable<string> {
    return this.#judged.get(probe) ?? none;
  }

  get probes(): ReadonlyMap<string, Probe> {
    return this.#probes;
  }

  /** No key has a blank in it, but between a service's protocol and address. */
  #locate(subject: string): readonly [Entry | undefined, string] {
    const at = subject.lastIndexOf(' ');
    return [this.#entries.get(subject.slice(0, at)), subject.slice(at + 1)];
  }

  #enter(key: string, service: DeclaredService, around: Surroundings): void {
    const destinations = new Map<string, DeclaredDestination>();
    const probes = new Map<string, readonly string[]>();
    let hasPaths = false;
    for (const destination of service.destinations) {
      const name = destinationKey(destination);
      destinations.set(name, destination);
      const checks = destination.checks.filter(isProbed);
      if (checks.length === 0) continue;
      const keys = checks.map((check: Check) => {
        const found = probeOf(service, destination, check, around);
        hasPaths ||= found.hasPath;
        this.#probes.set(found.key, found.probe);
        let subjects = this.#judged.get(found.key);
        if (subjects === undefined) {
          subjects = new Set();
          this.#judged.set(found.key, subjects);
        }
        subjects.add(`${key} ${name}`);
        return found.key;
      });
      probes.set(name, keys);
    }
    this.#entries.set(key, { service, destinations, probes, hasPaths });
  }

  #strike(key: string): void {
    for (const [name, probes] of this.#entries.get(key)?.probes ?? []) {
      for (const probe of probes) {
        const subjects = this.#judged.get(probe);
        subjects?.delete(`${key} ${name}`);
        if (subjects?.size !== 0) continue;
        this.#judged.delete(probe);
        this.#probes.delete(probe);
      }
    }
    this.#entries.delete(key);
  }
}
