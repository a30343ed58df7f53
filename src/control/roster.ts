// Who is declared: services and destinations by their keys, and the probes that judge them. What is declared as before is not looked at
// again.
import { type ProbePath, pathKey } from '../dataplane/probe-paths.ts';
import type { Probe } from '../health/monitor.ts';
import type { Checker } from '../model/check.ts';
import type { DeclaredDestination, DeclaredService } from '../model/declared.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import { probeOf, type Surroundings } from './probes.ts';

export interface Declaration {
  readonly service: DeclaredService;
  readonly destination: DeclaredDestination;
}

type PassiveChecker = Extract<Checker, { kind: 'passive' }>;

interface Entry {
  /** In which it was declared last. */
  turn: number;
  readonly service: DeclaredService;
  readonly destinations: ReadonlyMap<string, DeclaredDestination>;
  /** By destinationKey: keys of the probes that must all find it well. Only those that have any. */
  readonly probes: ReadonlyMap<string, readonly string[]>;
  /** That its probes go by. */
  readonly paths: readonly ProbePath[];
  /** What passive checks look at: by destinationKey. */
  readonly passive: ReadonlyMap<string, PassiveChecker>;
}

/** What a change of the roster has brought. */
export interface Changes {
  /** That were not declared, or not like that. */
  readonly services: readonly DeclaredService[];
  /** Destinations that are declared no more: destinationSubject's texts. */
  readonly gone: readonly string[];
}

const none: readonly string[] = [];

export class Roster {
  /** By serviceKey. */
  readonly #entries = new Map<string, Entry>();
  readonly #probes = new Map<string, Probe>();
  /** By probe: the subjects that it is one of. */
  readonly #judged = new Map<string, Set<string>>();
  #ownAddresses = '';
  #turn = 0;

  /** Makes it what is declared. */
  enrol(services: readonly DeclaredService[], around: Surroundings): Changes {
    const isElsewhere = around.own.text !== this.#ownAddresses;
    this.#ownAddresses = around.own.text;
    const turn = ++this.#turn;
    const fresh: DeclaredService[] = [];
    const struck: string[] = [];
    for (const service of services) {
      const key = serviceKey(service.identity);
      const before = this.#entries.get(key);
      if (before !== undefined) before.turn = turn;
      if (before?.service !== service) fresh.push(service);
      else if (before.paths.length === 0 && !isElsewhere) continue;
      for (const subject of this.#strike(key)) struck.push(subject);
      this.#enter(key, service, around);
    }
    for (const [key, entry] of this.#entries)
      if (entry.turn !== turn) for (const subject of this.#strike(key)) struck.push(subject);
    return { services: fresh, gone: struck.filter((subject) => this.find(subject) === undefined) };
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

  /** Each once. */
  paths(): readonly ProbePath[] {
    const all = new Map<string, ProbePath>();
    for (const { paths } of this.#entries.values()) for (const path of paths) all.set(pathKey(path), path);
    return [...all.values()];
  }

  /** By destinationSubject's text: what passive checks look at. */
  *passive(): Iterable<readonly [string, PassiveChecker]> {
    for (const [key, { passive }] of this.#entries)
      for (const [name, checker] of passive) yield [`${key} ${name}`, checker];
  }

  /** No key has a blank in it, but between a service's protocol and address. */
  #locate(subject: string): readonly [Entry | undefined, string] {
    const at = subject.lastIndexOf(' ');
    return [this.#entries.get(subject.slice(0, at)), subject.slice(at + 1)];
  }

  #enter(key: string, service: DeclaredService, around: Surroundings): void {
    const destinations = new Map<string, DeclaredDestination>();
    const probes = new Map<string, readonly string[]>();
    const paths: ProbePath[] = [];
    const passive = new Map<string, PassiveChecker>();
    for (const destination of service.destinations) {
      const name = destinationKey(destination);
      destinations.set(name, destination);
      const keys: string[] = [];
      for (const check of destination.checks) {
        if (check.checker.kind === 'passive') {
          if (!passive.has(name)) passive.set(name, check.checker);
          continue;
        }
        const { key: probe, path, ...found } = probeOf(service, destination, check, around);
        keys.push(probe);
        if (path !== undefined) paths.push(path);
        this.#probes.set(probe, found.probe);
        this.#judge(probe, `${key} ${name}`);
      }
      if (keys.length > 0) probes.set(name, keys);
    }
    this.#entries.set(key, { turn: this.#turn, service, destinations, probes, paths, passive });
  }

  #judge(probe: string, subject: string): void {
    const subjects = this.#judged.get(probe);
    if (subjects === undefined) this.#judged.set(probe, new Set([subject]));
    else subjects.add(subject);
  }

  /** Returns the subjects that it had. */
  #strike(key: string): readonly string[] {
    const entry = this.#entries.get(key);
    if (entry === undefined) return [];
    for (const [name, probes] of entry.probes) {
      for (const probe of probes) {
        const subjects = this.#judged.get(probe);
        subjects?.delete(`${key} ${name}`);
        if (subjects?.size !== 0) continue;
        this.#judged.delete(probe);
        this.#probes.delete(probe);
      }
    }
    this.#entries.delete(key);
    return Array.from(entry.destinations.keys(), (name) => `${key} ${name}`);
  }
}
