// The control loop: what is declared, how destinations stand and what operators said become one desired state, which is applied.
import { parseConfig } from '../config/load.ts';
import { Remembered } from '../config/remembered.ts';
import { ProbePaths } from '../dataplane/probe-paths.ts';
import { type Health, untested } from '../health/hysteresis.ts';
import { Monitor } from '../health/monitor.ts';
import { PassiveHealth } from '../health/passive.ts';
import type { Check, CheckerKind } from '../model/check.ts';
import type { Declared, DeclaredDestination, DeclaredService } from '../model/declared.ts';
import type { Load, Loads } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { destinationKey, destinationSubject, serviceKey } from '../model/table.ts';
import { applyDesired, planDesired, type Target } from './apply.ts';
import { type Desired, toDesired } from './desired.ts';
import { type Difference, isSame } from './difference.ts';
import { type Effective, toEffective } from './effective.ts';
import type { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { type KnownHealth, Memory, type MemoryPaths } from './memory.ts';
import { notify } from './notify.ts';
import { noPaths, ownAddresses } from './probes.ts';
import { Roster } from './roster.ts';
import { spareMemoryAfterChange } from './spare-memory.ts';
import { type Override, type Standing, standing } from './standing.ts';

export interface CheckState
  extends Pick<Health, 'state' | 'reason' | 'sinceMs'>,
    Pick<Check, 'intervalMs' | 'timeoutMs' | 'rise' | 'fall'> {
  readonly kind: CheckerKind;
  /** Of the last probe; undefined: there was none yet. */
  readonly durationMs: number | undefined;
}

/** Verdicts that come together lead to one change. */
const settleMs = 20;
/** How often weights of destinations that come back, and drains, go on. */
const tickMs = 1000;
/** How often new interfaces are looked for, by which answers to probes may come. */
const interfacesMs = 5000;
/** After a change that the kernel refused. */
const retryMs = 1000;

/** A configuration as it is written, and what errors call that. */
export interface Written {
  readonly source: Buffer;
  readonly name: string;
}

export interface DaemonOptions {
  /** Throws where there is none. */
  readonly load: () => Written;
  /** What was read already. */
  readonly known?: Remembered;
  readonly director: Target & { loads(services: ReadonlySet<string>): Loads };
  readonly memory: MemoryPaths;
  readonly journal: Journal;
  readonly log: Log;
}

export class Daemon implements Disposable {
  readonly #options: DaemonOptions;
  readonly #memory: Memory;
  /** By the daemon before. */
  readonly #remembered: KnownHealth;
  readonly #monitor: Monitor;
  readonly #overrides: Map<string, Override>;
  /** When each that is coming back did, by performance.now(). */
  readonly #cameBack = new Map<string, number>();
  /** Whether each destination was up when it was last looked at. */
  readonly #wasUp = new Map<string, boolean>();
  /** Keys of services that are to be looked at. */
  readonly #stale = new Set<string>();
  #effective = new WeakMap<DeclaredService, Effective>();
  readonly #roster = new Roster();
  readonly #known: Remembered;
  #declared: Declared;
  #source: Buffer;
  /** Grows with each change of what is declared, or said by operators. */
  #revision = 0;
  /** After each change of what is declared. */
  onDeclared: (declared: Declared) => void = () => undefined;
  readonly #start = Date.now().toString(36);
  /** By destinationSubject's text: of those with a passive check. */
  #passive: ReadonlyMap<string, PassiveHealth> = new Map();
  readonly #lostQuorums: Set<string>;
  #paths: ProbePaths | undefined;
  #settling: NodeJS.Timeout | undefined;
  readonly #ticking: NodeJS.Timeout;
  readonly #looking: NodeJS.Timeout;

  /** Applies what is declared. Throws what is wrong with it, and what the kernel refuses. */
  constructor(options: DaemonOptions) {
    const { load, known = new Remembered(), memory, log } = options;
    this.#options = options;
    this.#known = known;
    const written = load();
    this.#declared = this.parse(written);
    this.#source = written.source;
    const { overrides, lostQuorums, health } = Memory.read(memory, (why) => log.warn({ why }, 'not remembered'));
    this.#overrides = new Map(overrides);
    this.#lostQuorums = new Set(lostQuorums);
    this.#remembered = health;
    this.#monitor = new Monitor({ remembered: health, onChange: (key) => this.#hear(key) });
    this.#memory = new Memory(memory, () => this.#monitor.known());
    this.#adopt(this.#declared);
    this.#ticking = setInterval(() => this.#tick(), tickMs);
    this.#looking = setInterval(() => this.#paths?.attach(), interfacesMs);
  }

  /** Throws what is wrong with the file, or what the kernel refuses; then all is as it was. */
  reload(): Difference {
    return this.#noteRefusal(() => this.#replace(this.#options.load(), 'reload'));
  }

  /** As if the file had this, until it is read again. Throws as `parse` does. */
  apply(written: Written): Difference {
    return this.#noteRefusal(() => this.#replace(written, 'apply'));
  }

  /** What it declares. Services that are written as those of the last one are the same. Throws what is wrong with it. */
  parse({ source, name }: Written): Declared {
    return parseConfig(source, name, this.#known);
  }

  /** What applying it would change, as destinations stand now. */
  plan(declared: Declared): Difference {
    const before = this.#declared;
    const [wasUp, cameBack] = [new Map(this.#wasUp), new Map(this.#cameBack)];
    try {
      this.#declare(declared);
      const fresh = declared.services.filter((service) => this.#isStale(service));
      const loads = this.#loadsOf(fresh);
      for (const service of fresh) this.#effective.set(service, this.#toEffective(service, loads));
      return planDesired(this.#options.director.everything(), this.#desired(), { keep: false });
    } finally {
      this.#declare(before);
      for (const [subject, value] of wasUp) this.#wasUp.set(subject, value);
      for (const [subject, value] of cameBack) this.#cameBack.set(subject, value);
    }
  }

  /** Of what is declared, and of what operators said: another with each change. */
  get revision(): string {
    return `${this.#start}-${this.#revision}`;
  }

  /** What is declared, as it was written. */
  get source(): Buffer {
    return this.#source;
  }

  get declared(): Declared {
    return this.#declared;
  }

  overrides(): ReadonlyMap<string, Override> {
    return this.#overrides;
  }

  /** `undefined` lifts it. Throws destination-missing. */
  override(subject: string, change: Omit<Override, 'sinceMs'> | undefined, by: Pick<Override, 'who' | 'why'>): void {
    const before = this.#overrides.get(subject);
    if (this.#roster.find(subject) === undefined && before === undefined)
      throw new FairleadError('destination-missing', `no destination ${subject} is declared`);
    // It has lost its connections meanwhile, as one that was down.
    const slowStartMs = this.#roster.find(subject)?.service.slowStartMs ?? 0;
    if (change === undefined && before?.state !== undefined && slowStartMs > 0)
      this.#cameBack.set(subject, performance.now());
    if (change === undefined) this.#overrides.delete(subject);
    else this.#overrides.set(subject, { ...change, sinceMs: Date.now() });
    this.#revision++;
    this.#note(by.who, describe(change), subject, by.why);
    this.#noteStale(subject);
    this.#settle();
  }

  /** undefined of what is not declared. */
  standing(subject: string): Standing | undefined {
    const found = this.#roster.find(subject);
    return found && this.#standingOf(subject, found.destination);
  }

  /** What its probes have found so far. */
  checks(subject: string): readonly CheckState[] {
    const keys = this.#roster.probesOf(subject);
    const healths = this.#healths(subject);
    const probed = keys.flatMap((key, index) => {
      const [health, check] = [healths[index], this.#roster.probes.get(key)?.check];
      const durationMs = this.#monitor.lastVerdict(key)?.durationMs;
      return health === undefined || check === undefined ? [] : [toCheckState(health, check, durationMs)];
    });
    const passive = this.#passive.get(subject);
    const declared = this.#roster.find(subject)?.destination.checks.find(({ checker }) => passive?.isBy(checker));
    return passive && declared ? [...probed, toCheckState(passive.health, declared, undefined)] : probed;
  }

  /** What all probes have found, and how they stand, by what they ask. */
  probeTallies(): ReturnType<Monitor['tallies']> {
    return this.#monitor.tallies();
  }

  isQuorumLost(service: string): boolean {
    return this.#lostQuorums.has(service);
  }

  /** Packets go on as they did last; the next daemon takes over what is known. */
  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
    clearInterval(this.#looking);
    clearTimeout(this.#settling);
    this.#memory[Symbol.dispose]();
    this.#monitor[Symbol.dispose]();
    this.#paths?.[Symbol.dispose]();
  }

  #replace(written: Written, what: 'reload' | 'apply'): Difference {
    const declared = this.parse(written);
    const difference = this.#adoptOrStay(declared);
    this.#source = written.source;
    this.#revision++;
    this.#note('fairlead', what, undefined, `${difference.services.length} services changed`);
    this.onDeclared(declared);
    return difference;
  }

  #adoptOrStay(declared: Declared): Difference {
    const before = this.#declared;
    try {
      return this.#adopt(declared);
    } catch (error) {
      this.#declare(before);
      throw error;
    }
  }

  #noteRefusal<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#note('fairlead', 'refused', undefined, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #adopt(declared: Declared): Difference {
    this.#declare(declared);
    const difference = this.#apply();
    // Only now: the data plane that their packets need is there.
    const paths = this.#roster.paths();
    if (paths.length === 0) {
      this.#paths?.[Symbol.dispose]();
      this.#paths = undefined;
    } else this.#paths ??= ProbePaths.open();
    const pathAddresses = this.#paths?.set(paths) ?? noPaths;
    this.#roster.enrol(declared.services, { own: ownAddresses(), pathAddresses });
    this.#monitor.watch(this.#roster.probes);
    this.#warnOfLoad();
    this.#watchPassively();
    this.#remember();
    return difference;
  }

  #warnOfLoad(): void {
    const { asked, most } = this.#monitor.load;
    if (asked <= most) return;
    const factor = (asked / most).toFixed(1);
    this.#options.log.warn(
      { askedPerSecond: Math.round(asked), most },
      `the health checks are more than one process can do: their intervals are ${factor} times as long`,
    );
  }

  /** What probes are known by does not depend on the addresses that they go to. */
  #declare(declared: Declared): void {
    this.#declared = declared;
    const around = { own: ownAddresses(), pathAddresses: noPaths };
    const { services, gone } = this.#roster.enrol(declared.services, around);
    for (const { identity } of services) this.#stale.add(serviceKey(identity));
    for (const subject of gone) for (const known of [this.#wasUp, this.#cameBack]) known.delete(subject);
  }

  #hear(key: string): void {
    for (const subject of this.#roster.judgedBy(key)) this.#noteStale(subject);
    this.#settleSoon(settleMs);
  }

  #settleSoon(ms: number): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#settle();
    }, ms);
  }

  #settle(): void {
    try {
      this.#apply();
      this.#remember();
    } catch (error) {
      this.#options.log.error({ err: error }, 'the change could not be made: it is tried again');
      this.#settleSoon(retryMs);
    }
  }

  /** Only what may have changed is looked at, for there may be much. */
  #apply(): Difference {
    for (const subject of this.#cameBack.keys()) this.#noteStale(subject);
    const services = this.#staleServices();
    for (const service of services) this.#noticeTransitions(service);
    const loads = this.#loadsOf(services);
    for (const service of services) this.#effective.set(service, this.#toEffective(service, loads));
    const difference = applyDesired(this.#options.director, this.#desired(), { keep: false });
    for (const service of services) this.#noticeQuorum(service);
    this.#stale.clear();
    spareMemoryAfterChange(this.#declared.services.length, services.length);
    if (!isSame(difference)) this.#options.log.debug({ services: difference.services.length }, 'changed');
    return difference;
  }

  /** Also what became of it is not known where a change was refused. */
  #isStale(service: DeclaredService): boolean {
    return !this.#effective.has(service) || this.#stale.has(serviceKey(service.identity));
  }

  #staleServices(): readonly DeclaredService[] {
    return [...this.#stale].flatMap((key) => this.#roster.service(key) ?? []);
  }

  /** Only slow starts ask for them. */
  #loadsOf(services: readonly DeclaredService[]): Loads {
    if (this.#cameBack.size === 0) return new Map();
    return this.#options.director.loads(new Set(services.map(({ identity }) => serviceKey(identity))));
  }

  /** Of these destinations' services. */
  #loadsAt(subjects: Iterable<string>): Loads {
    const found = Array.from(subjects, (subject) => this.#roster.find(subject)?.service.identity);
    return this.#options.director.loads(new Set(found.flatMap((identity) => (identity ? [serviceKey(identity)] : []))));
  }

  #toEffective(service: DeclaredService, loads: Loads): Effective {
    return toEffective(service, {
      standing: (subject, destination) => this.#standingOf(subject, destination),
      share: (subject) => this.#share(subject),
      activeConnections: (subject) => loads.get(subject)?.activeConnections ?? 0,
      wasQuorumLost: (key) => this.#lostQuorums.has(key),
    });
  }

  #desired(): Desired {
    return {
      ...toDesired({ ...this.#declared, services: [] }),
      services: this.#declared.services.flatMap((service) => this.#effective.get(service)?.service ?? []),
    };
  }

  #noteStale(subject: string): void {
    const found = this.#roster.find(subject);
    if (found !== undefined) this.#stale.add(serviceKey(found.service.identity));
  }

  #standingOf(subject: string, destination: DeclaredDestination): Standing {
    return standing(destination, this.#healths(subject), this.#overrides.get(subject));
  }

  #healths(subject: string): readonly Health[] {
    const keys = this.#roster.probesOf(subject);
    const passive = this.#passive.get(subject)?.health;
    const probed = keys.map(
      (key) =>
        this.#monitor.health(key) ??
        this.#remembered.get(key) ??
        untested(0, this.#roster.probes.get(key)?.check.initially),
    );
    return passive === undefined ? probed : [...probed, passive];
  }

  /** What one sees for the first time is how it was. */
  #noticeTransitions(service: DeclaredService): void {
    for (const destination of service.destinations) {
      if (destination.checks.length === 0) continue; // it is up whatever happens
      const subject = destinationSubject(service.identity, destination);
      const { isUp, reason } = this.#standingOf(subject, destination);
      const was = this.#wasUp.get(subject) ?? isUp;
      this.#wasUp.set(subject, isUp);
      if (!isUp) this.#cameBack.delete(subject);
      if (was === isUp) continue;
      if (isUp && service.slowStartMs > 0) this.#cameBack.set(subject, performance.now());
      this.#tellTransition(service, destination, isUp, reason ?? this.#healths(subject)[0]?.reason);
    }
  }

  #tellTransition(service: DeclaredService, one: DeclaredDestination, isUp: boolean, reason: string | undefined): void {
    const { log } = this.#options;
    const event = isUp ? 'up' : 'down';
    const about = { service: serviceKey(service.identity), destination: destinationKey(one) };
    log.info({ ...about, reason }, `a destination is ${event}`);
    this.#note('fairlead', event, destinationSubject(service.identity, one), reason);
    const told = { event, ...about, ...(reason !== undefined && { reason }) } as const;
    for (const { [event]: command } of [service.notify, one.notify]) notify(command, told, log);
  }

  #noticeQuorum(service: DeclaredService): void {
    const key = serviceKey(service.identity);
    const isLost = this.#effective.get(service)?.isQuorumLost === true;
    if (isLost === this.#lostQuorums.has(key)) return;
    if (isLost) this.#lostQuorums.add(key);
    else this.#lostQuorums.delete(key);
    const text = isLost ? 'a service lost its quorum' : 'a service has its quorum again';
    this.#options.log[isLost ? 'warn' : 'info']({ service: key }, text);
    this.#note('fairlead', isLost ? 'quorum-down' : 'quorum-up', key);
    const { quorumUp, quorumDown } = service.notify;
    const event = { event: isLost ? 'quorum-down' : 'quorum-up', service: key } as const;
    notify(isLost ? quorumDown : quorumUp, event, this.#options.log);
  }

  #share(subject: string): number | undefined {
    const since = this.#cameBack.get(subject);
    const slowStartMs = this.#roster.find(subject)?.service.slowStartMs ?? 0;
    if (since === undefined || slowStartMs === 0) return undefined;
    const share = (performance.now() - since) / slowStartMs;
    if (share < 1) return share;
    this.#cameBack.delete(subject);
    return undefined;
  }

  /** What failed at destinations that are declared no more counts no more. */
  #watchPassively(): void {
    const before = this.#passive;
    this.#passive = new Map(
      Array.from(this.#roster.passive(), ([subject, checker]) => {
        const known = before.get(subject);
        return [subject, known?.isBy(checker) ? known : new PassiveHealth(checker)];
      }),
    );
  }

  #lookPassively(): boolean {
    if (this.#passive.size === 0) return false;
    const loads = this.#loadsAt(this.#passive.keys());
    const now = Date.now();
    let isChanged = false;
    for (const [subject, passive] of this.#passive) {
      if (!passive.see(loads.get(subject)?.failures, now)) continue;
      this.#noteStale(subject);
      isChanged = true;
    }
    return isChanged;
  }

  #tick(): void {
    const isChanged = this.#lookPassively();
    const draining = [...this.#overrides].filter(([, { state }]) => state === 'draining');
    if (draining.length > 0) {
      const loads = this.#loadsAt(draining.map(([subject]) => subject));
      for (const [subject, override] of draining) this.#goOnDraining(subject, override, loads.get(subject));
    }
    if (isChanged || draining.length > 0 || this.#cameBack.size > 0) this.#settle();
  }

  #goOnDraining(subject: string, override: Override, load: Load | undefined): void {
    const isOver = override.untilMs !== undefined && Date.now() >= override.untilMs;
    const connections = load === undefined ? 0 : load.activeConnections + load.inactiveConnections;
    if (connections > 0 && !isOver) return;
    this.#overrides.set(subject, { ...override, state: 'removed' });
    this.#noteStale(subject);
    const why =
      connections === 0 ? 'its connections are gone' : `its time is over; ${connections} connections are left`;
    this.#options.log.info({ destination: subject, connections }, 'a destination is drained');
    this.#note('fairlead', 'drained', subject, why);
  }

  #note(who: string, what: string, subject: string | undefined, why?: string): void {
    const about = subject === undefined ? {} : { subject };
    this.#options.journal.add({ who, what, ...about, ...(why !== undefined && why !== '' && { why }) });
  }

  #remember(): void {
    this.#memory.keepSaid({ overrides: this.#overrides, lostQuorums: this.#lostQuorums });
    this.#memory.keepHealth();
  }
}

function toCheckState(
  { state, reason, sinceMs }: Health,
  {
    checker: { kind },
    intervalMs,
    timeoutMs,
    rise,
    fall,
  }: Pick<Check, 'checker' | 'intervalMs' | 'timeoutMs' | 'rise' | 'fall'>,
  durationMs: number | undefined,
): CheckState {
  return { kind, state, reason, sinceMs, durationMs, intervalMs, timeoutMs, rise, fall };
}

function describe(change: Omit<Override, 'sinceMs'> | undefined): string {
  if (change === undefined) return 'enable';
  const words = { quiesced: 'disable', draining: 'drain', removed: 'remove' } as const;
  return change.state === undefined ? `set weight ${change.weight}` : words[change.state];
}
