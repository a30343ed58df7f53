// Where packets are measured: a network namespace of its own with a director at its real size, set to one table.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type DataplaneDirector, detach, openDirector } from '../../src/dataplane/director.ts';
import { openInstance } from '../../src/dataplane/instance.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { interfaces } from '../../src/kernel/interfaces.ts';
import { withNetns } from '../../src/kernel/namespace.ts';
import { BpfProgram } from '../../src/kernel/program.ts';
import { type Address, parseAddress } from '../../src/model/address.ts';
import type { Method, Persistence, Protocol, Scheduler, Service } from '../../src/model/service.ts';
import type { Family, Ingress } from './generator.ts';

interface Places {
  readonly vip: string;
  /** The first of 65,536 clients, behind a router; as many follow that other cores may use. */
  readonly clients: string;
  readonly clientsPrefix: number;
  /** How the director's own network begins. */
  readonly network: string;
  readonly networkPrefix: number;
}

export const places: Readonly<Record<Family, Places>> = {
  4: { vip: '198.51.100.10', clients: '10.64.0.0', clientsPrefix: 15, network: '192.0.2.', networkPrefix: 24 },
  6: { vip: '2001:db8:a::10', clients: '2001:db8:c::', clientsPrefix: 64, network: '2001:db8:b::', networkPrefix: 64 },
};
export const families: readonly Family[] = [4, 6];
const router = 254;
const realServers = [11, 12, 13, 14];
/** So many that 512k connections to four real servers find ports. */
const localAddresses = Array.from({ length: 16 }, (_, index) => 101 + index);

/** ovf lets so many connections to a real server before it goes on to the next: here, more than are measured. */
export const ovfWeight = 1 << 20;

export interface ServiceOptions {
  readonly family: Family;
  readonly port: number;
  readonly protocol?: Protocol;
  readonly scheduler?: Scheduler;
  readonly method?: Method;
  /** 4 if not given, and for masq and fullnat at the most. */
  readonly destinations?: number;
  readonly persistence?: Persistence;
}

/** At the VIP, or for a mark if there is one. */
export function service(options: ServiceOptions & { readonly mark?: number }): Service {
  const {
    family,
    port,
    protocol = 'tcp',
    scheduler = 'wlc',
    method = 'gate',
    destinations = 4,
    persistence,
    mark,
  } = options;
  const { vip, network } = places[family];
  const own = (host: number): Address => parseAddress(`${network}${host}`);
  return {
    identity:
      mark === undefined ? { kind: 'address', protocol, vip: parseAddress(vip), port } : { kind: 'mark', mark, family },
    scheduler,
    ...(persistence === undefined ? {} : { persistence }),
    localAddresses: method === 'fullnat' ? localAddresses.map(own) : [],
    // Many are the same four hosts under so many ports: with gate they differ in name alone.
    destinations: Array.from({ length: destinations }, (_, index) => ({
      rip: own(realServers[index % realServers.length] ?? 0),
      port: port + (index - (index % realServers.length)),
      method,
      weight: scheduler === 'ovf' ? ovfWeight : 1,
    })),
  };
}

/** A director at XDP of one interface, and the interface. */
export interface Scene {
  readonly director: DataplaneDirector;
  readonly maps: Maps;
  readonly ingress: Ingress;
  /** In its namespace, where this thread may not be when there are two of them. */
  run<T>(work: () => T): T;
  program(name: string): BpfProgram;
  /** How often each reason for a drop was counted. */
  drops(): Readonly<Record<string, number>>;
}

export interface SceneOptions {
  /** Size of the connection table; the default one's if not given. */
  readonly connections?: number;
  /** What may be dropped, by its reason: else a packet that is dropped is an error. */
  readonly mayDrop?: readonly string[];
}

/** One-armed: the clients' router and the real servers are behind one interface. Every neighbour is known, so that no packet needs another program than the measured one. */
export function withScene<T>(
  table: readonly Service[],
  { connections, mayDrop = [] }: SceneOptions,
  work: (scene: Scene) => T,
): T {
  const name = `fairlead-bench-${process.pid}-${randomBytes(3).toString('hex')}`;
  ip('netns', 'add', name);
  try {
    lay(name);
    const path = `/run/netns/${name}`;
    return withNetns(path, () => {
      try {
        const size = connections === undefined ? {} : { connections };
        using director = openDirector({ create: true, attach: { interfaces: ['d0'], hook: 'xdp', ...size } });
        director?.change(() => ({ services: table }));
        const place = findPlace(false);
        using maps = place && openInstance(place);
        if (director === undefined || maps === undefined) throw new Error('the director has no instance');
        const ingress = interfaces().find(({ name: one }) => one === 'd0');
        if (ingress === undefined) throw new Error('the namespace has no d0');
        untilSwept(maps);
        using scene = sceneOf(path, director, maps, ingress);
        const result = work(scene);
        expectNoDrops(scene.drops(), mayDrop);
        return result;
      } finally {
        detach();
      }
    });
  } finally {
    ip('netns', 'del', name);
  }
}

function sceneOf(path: string, director: DataplaneDirector, maps: Maps, ingress: Ingress): Scene & Disposable {
  const programs = new Map<string, BpfProgram>();
  return {
    ...{ director, maps, ingress },
    run: (work) => withNetns(path, work),
    program(name) {
      const known = programs.get(name) ?? BpfProgram.openPinned(join(maps.directory, name));
      if (known === undefined) throw new Error(`there is no program ${name}`);
      programs.set(name, known);
      return known;
    },
    drops: () =>
      Object.fromEntries(
        [...maps.map('reasons').entries()].map(([key, value]) => {
          const counts = new BigUint64Array(new Uint8Array(value).buffer);
          return [
            String(maps.vocabulary.reasons[key.readUInt32LE(0)]),
            Number(counts.reduce((sum, one) => sum + one, 0n)),
          ];
        }),
      ),
    [Symbol.dispose]() {
      for (const one of programs.values()) one[Symbol.dispose]();
    },
  };
}

/** A new table is swept once: what the first access to its memory takes, in a virtual machine, is none of a packet's time. */
function untilSwept(maps: Maps): void {
  const words = maps.words('flow_pages');
  const entries = maps.map('flow_pages').info.maxEntries;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let index = 0; index < entries; index++) while (words.get(index) !== 0n) Atomics.wait(sleeper, 0, 0, 20);
}

/** A packet that is dropped costs little: its figure would be a lie. */
function expectNoDrops(drops: Readonly<Record<string, number>>, mayDrop: readonly string[]): void {
  const dropped = Object.entries(drops).find(([reason, count]) => count > 0 && !mayDrop.includes(reason));
  if (dropped !== undefined) throw new Error(`the director dropped packets: ${dropped.join(' ')}`);
}

function lay(name: string): void {
  const inside = (...words: string[]): void => ip('-n', name, ...words);
  inside('link', 'set', 'lo', 'up');
  inside('link', 'add', 'd0', 'type', 'veth', 'peer', 'name', 'r0');
  inside('link', 'set', 'd0', 'up');
  inside('link', 'set', 'r0', 'up');
  for (const family of families) {
    const { network, networkPrefix, clients, clientsPrefix } = places[family];
    inside('address', 'add', `${network}1/${networkPrefix}`, 'dev', 'd0', ...(family === 6 ? ['nodad'] : []));
    for (const [index, host] of [...realServers, router].entries()) {
      const mac = `02:00:00:00:00:${10 + index}`;
      inside('neighbour', 'add', `${network}${host}`, 'lladdr', mac, 'nud', 'permanent', 'dev', 'd0');
    }
    inside('route', 'add', `${clients}/${clientsPrefix}`, 'via', `${network}${router}`);
  }
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}
