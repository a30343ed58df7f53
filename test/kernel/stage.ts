// A director in a network namespace where every neighbour is known, and single packets run through its programs there.
import { join } from 'node:path';
import { readJiffies } from '../../src/dataplane/connections.ts';
import { controlOf } from '../../src/dataplane/control.ts';
import { everUsed } from '../../src/dataplane/destinations.ts';
import { type DataplaneDirector, detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { type Rows, rows } from '../../src/dataplane/rows.ts';
import { readStatus } from '../../src/dataplane/status.ts';
import type { TraceAnswer, TraceQuestion } from '../../src/dataplane/trace.ts';
import { BpfProgram } from '../../src/kernel/program.ts';
import { parseAddress } from '../../src/model/address.ts';
import { type Connection, flowStates, type InstalledService } from '../../src/model/director.ts';
import { readRule } from '../../src/model/mark-words.ts';
import type { Destination, Method, Persistence, Protocol, Service, ServiceIdentity } from '../../src/model/service.ts';
import type { Settings } from '../../src/model/settings.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

export const vip = '198.51.100.10';
export const client = '203.0.113.5';
export const dip = '192.0.2.1';
/** Real servers 1 to 4 are on the director's own network, 9 is behind a link of 1400 bytes. */
export const rip = (number: number): string => (number === 9 ? '192.0.3.9' : `192.0.2.${10 + number}`);
export const ripMac = (number: number): string => `02:00:00:00:01:0${number}`;
export const routerMac = '02:00:00:00:01:00';
const router = '192.0.2.254';

/** The same places by IPv6. */
export const six = {
  vip: '2001:db8:a::10',
  client: '2001:db8:c::5',
  dip: '2001:db8:b::1',
  /** Real server 9 is behind a link of 1400 bytes. */
  rip: (number: number): string => (number === 9 ? '2001:db8:d::9' : `2001:db8:b::1${number}`),
  router: '2001:db8:b::fe',
} as const;

/** struct __sk_buff of linux/bpf.h. */
const skBuffBytes = 192;
const skBuffMark = 8;
const skBuffIngress = 36;

export type Verdict = 'pass' | 'drop' | 'redirect' | 'aborted';
export const xdpVerdicts: readonly Verdict[] = ['aborted', 'drop', 'pass', 'pass', 'redirect'];
export const tcVerdicts: Readonly<Record<number, Verdict>> = { 4294967295: 'pass', 2: 'drop', 7: 'redirect' };

export interface Answer {
  readonly verdict: Verdict;
  readonly packet: Buffer;
}

export interface Stage extends Disposable {
  readonly namespace: TestNamespace;
  readonly maps: Maps;
  /** Not for asynchronous work. */
  run<T>(work: () => T): T;
  /** `context`: struct xdp_md. */
  xdp(frame: Buffer, context?: Buffer): Answer;
  tc(frame: Buffer, run?: { readonly context?: Buffer; readonly flags?: number }): Answer;
  /** As on an interface with both hooks: TC has what XDP leaves. */
  walk(frame: Buffer): Answer & { readonly hook: 'xdp' | 'tc' };
  install(...services: readonly Service[]): void;
  /** Rules for marks, in iptables' words. */
  mark(...rules: readonly string[]): void;
  services(): readonly InstalledService[];
  connections(): readonly Connection[];
  /** How often each reason and event was counted since the last call, without those that were not. */
  news(): Readonly<Record<string, number>>;
  /** Empties the connection table, and has ways that are known stay so: from then on XDP does all it can. */
  settle(): void;
  setTimeouts(seconds: number): void;
  /** Words of struct settings. */
  set(words: Readonly<Record<string, number>>): void;
  settings(): Settings;
  /** As `fairlead settings` does. */
  change(settings: Partial<Settings>): void;
  trace(question: TraceQuestion): TraceAnswer | undefined;
  /** At TC, with a mark that it was given before. */
  marked(mark: number, frame: Buffer): Answer;
  /** No entry that ended is still kept for those that may be reading it. */
  graceIsOver(): boolean;
  program(name: string): BpfProgram;
}

export interface StageOptions {
  readonly connections?: number;
  /** net.ipv4.ip_local_port_range: fullnat has the ports around it. */
  readonly hostPorts?: readonly [number, number];
}

export function openStage({ connections = 1024, hostPorts }: StageOptions = {}): Stage {
  const namespace = testNamespace();
  try {
    lay(namespace, hostPorts);
    return namespace.run(() => {
      const director = openDirector({ create: true, attach: { interfaces: ['v0'], hook: 'xdp', connections } });
      director?.change(() => ({ services: [service({})] }));
      const place = findPlace(false);
      const maps = place && openInstance(place);
      if (director === undefined || maps === undefined) throw new Error('the director has no instance');
      return stageOf(namespace, director, maps);
    });
  } catch (error) {
    namespace.run(detach);
    namespace[Symbol.dispose]();
    throw error;
  }
}

/** A service at the VIP, and what it is unless told otherwise. Destinations: the newest first. */
export function service({
  protocol = 'tcp',
  vip: address = vip,
  port = 80,
  mark,
  family = 4,
  localAddresses = [],
  ...facts
}: ServiceFacts): Service {
  const identity: ServiceIdentity =
    mark === undefined
      ? { kind: 'address', protocol, vip: parseAddress(address), port }
      : { kind: 'mark', mark, family };
  return { scheduler: 'rr', destinations: [], ...facts, identity, localAddresses: localAddresses.map(parseAddress) };
}

export interface ServiceFacts extends Partial<Omit<Service, 'identity' | 'localAddresses'>> {
  readonly protocol?: Protocol;
  readonly vip?: string;
  readonly port?: number;
  /** Instead of the above. */
  readonly mark?: number;
  /** Of a mark. */
  readonly family?: 4 | 6;
  readonly localAddresses?: readonly string[];
}

/** Of one client each, unless a mask says otherwise. */
export function persistence(timeoutS: number, mask = '255.255.255.255'): Persistence {
  return { timeoutS, mask: parseAddress(mask) };
}

export function destination(number: number, method: Method, facts: Partial<Destination> = {}): Destination {
  return { rip: parseAddress(rip(number)), port: 80, method, weight: 1, ...facts };
}

function lay(namespace: TestNamespace, hostPorts: readonly [number, number] | undefined): void {
  const { ip } = namespace;
  for (const device of ['lo', 'v0', 'v1']) ip('link', 'set', device, 'up');
  ip('address', 'add', `${dip}/24`, 'dev', 'v0');
  const known = [[router, routerMac], ...[1, 2, 3, 4].map((number) => [rip(number), ripMac(number)])] as const;
  for (const [address = '', mac = ''] of known) {
    ip('neighbour', 'add', address, 'lladdr', mac, 'nud', 'permanent', 'dev', 'v0');
  }
  ip('route', 'add', 'default', 'via', router);
  ip('address', 'add', `${six.dip}/64`, 'dev', 'v0', 'nodad');
  const knownSix = [
    [six.router, routerMac],
    ...[1, 2, 3, 4].map((number) => [six.rip(number), ripMac(number)]),
  ] as const;
  for (const [address = '', mac = ''] of knownSix) {
    ip('neighbour', 'add', address, 'lladdr', mac, 'nud', 'permanent', 'dev', 'v0');
  }
  ip('route', 'add', 'default', 'via', six.router);
  ip('route', 'add', '2001:db8:d::/64', 'via', six.router, 'mtu', 'lock', '1400');
  ip('route', 'add', '192.0.3.0/24', 'via', router, 'mtu', 'lock', '1400');
  if (hostPorts !== undefined) {
    namespace.output('sysctl', '-q', '-w', `net.ipv4.ip_local_port_range=${hostPorts.join(' ')}`);
  }
}

function stageOf(namespace: TestNamespace, director: DataplaneDirector, maps: Maps): Stage {
  const programs = new Map<string, BpfProgram>();
  const program = (name: string): BpfProgram => {
    const known = programs.get(name) ?? BpfProgram.openPinned(join(maps.directory, name));
    if (known === undefined) throw new Error(`there is no program ${name}`);
    programs.set(name, known);
    return known;
  };
  const { run } = namespace;
  const xdp: Stage['xdp'] = (frame, context) => {
    const { returnValue, packet } = run(() =>
      program('director_xdp').testRun({ packet: frame, repeat: 1, ...(context && { context }) }),
    );
    return { verdict: xdpVerdicts[returnValue] ?? 'aborted', packet };
  };
  const tc: Stage['tc'] = (frame, options = {}) => {
    const context = received(options.context);
    const { returnValue, packet } = run(() =>
      program('director_tc').testRun({ packet: frame, repeat: 1, ...options, context }),
    );
    return { verdict: tcVerdicts[returnValue] ?? 'aborted', packet };
  };
  let seen = counts(maps);
  return {
    namespace,
    maps,
    run,
    xdp,
    tc,
    program,
    walk(frame) {
      const first = xdp(frame);
      return first.verdict === 'pass' ? { hook: 'tc', ...tc(first.packet) } : { hook: 'xdp', ...first };
    },
    install: (...services) => run(() => director.change(() => ({ services }))),
    mark: (...rules) => run(() => director.changeMarkRules(() => rules.map((rule) => readRule(rule.split(' '))))),
    services: () => run(() => director.services()),
    connections: () => run(() => [...director.connections()]),
    news() {
      const now = counts(maps);
      const grown = Object.entries(now).map(([name, count]): [string, number] => [name, count - (seen[name] ?? 0)]);
      seen = now;
      return Object.fromEntries(grown.filter(([, count]) => count !== 0));
    },
    settle() {
      empty(maps);
      keepAllWays(maps);
    },
    graceIsOver: () => graceIsOver(maps),
    setTimeouts: (seconds) => maps.rows('settings').patch(0, { timeout_s: flowStates.map(() => seconds) }),
    set: (words) => maps.rows('settings').patch(0, words),
    settings: () => run(() => director.settings()),
    change: (settings) => run(() => director.changeSettings(settings)),
    trace: (question) => run(() => director.trace(question)),
    marked(mark, frame) {
      const context = Buffer.alloc(skBuffBytes);
      context.writeUInt32LE(mark, skBuffMark);
      return tc(frame, { context });
    },
    [Symbol.dispose]() {
      for (const one of [...programs.values(), maps, director]) one[Symbol.dispose]();
      try {
        run(detach);
      } finally {
        namespace[Symbol.dispose]();
      }
    },
  };
}

/** struct __sk_buff of a packet that came in by an interface; else it would be the director's own. */
export function received(context: Buffer = Buffer.alloc(skBuffBytes)): Buffer {
  context.writeUInt32LE(1, skBuffIngress);
  return context;
}

function counts(maps: Maps): Record<string, number> {
  const { reasons, events } = readStatus(maps);
  return Object.fromEntries(Object.entries({ ...reasons, ...events }).map(([name, count]) => [name, Number(count)]));
}

/** Nothing else may be running. */
function empty(maps: Maps): void {
  for (const name of ['flows', 'flow_pages', 'counters']) new Uint8Array(maps.map(name).mmap()).fill(0);
  const destinations = maps.rows('destinations');
  for (let slot = 0, used = everUsed(maps); slot < used; slot++) {
    destinations.number('active').set(slot, 0);
    destinations.number('inactive').set(slot, 0);
    destinations.number('persistent').set(slot, 0);
    destinations.number('overloaded').set(slot, 0);
  }
}

function graceIsOver(maps: Maps): boolean {
  const flows = maps.rows('flows');
  const [control, seen] = [flows.number('control'), flows.number('seen')];
  const dead = maps.vocabulary.flowKinds.get('FLOW_DEAD');
  const { kind } = controlOf(maps.vocabulary.numbers);
  const { FLOW_GRACE } = maps.vocabulary.numbers;
  const now = readJiffies(maps);
  for (let slot = 0; slot < flows.length; slot++) {
    if (kind(control.get(slot)) === dead && ((now - seen.get(slot)) | 0) <= FLOW_GRACE) return false;
  }
  return true;
}

function keepAllWays(maps: Maps): void {
  const later = readJiffies(maps) + 1_000_000;
  keepWays(maps.rows('destinations'), everUsed(maps), 'next_hop.', later);
  const routes = rows(maps.layouts.struct('next_hop'), maps.map('routes').mmap());
  keepWays(routes, routes.length, '', later);
}

function keepWays(hops: Rows, count: number, prefix: '' | 'next_hop.', until: number): void {
  const [refresh, oif] = [hops.number(`${prefix}refresh`), hops.number(`${prefix}oif`)];
  for (let index = 0; index < count; index++) if (oif.get(index) !== 0) refresh.set(index, until);
}
