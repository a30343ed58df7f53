// Where packets are measured: a network namespace of its own with a director at its real size, set to one table.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { detach, openDirector } from '../src/dataplane/director.ts';
import { openInstance } from '../src/dataplane/instance.ts';
import type { Maps } from '../src/dataplane/maps.ts';
import { findPlace } from '../src/dataplane/place.ts';
import { interfaces } from '../src/kernel/interfaces.ts';
import { withNetns } from '../src/kernel/namespace.ts';
import { type Address, parseAddress } from '../src/model/address.ts';
import type { Method, Scheduler, Service } from '../src/model/service.ts';
import type { Family, Ingress } from './generator.ts';

export const port = 80;

interface Places {
  readonly vip: string;
  /** The first of 65,536 clients, behind a router. */
  readonly clients: string;
  readonly clientsPrefix: number;
  /** How the director's own network begins. */
  readonly network: string;
  readonly networkPrefix: number;
}

export const places: Readonly<Record<Family, Places>> = {
  4: { vip: '198.51.100.10', clients: '10.64.0.0', clientsPrefix: 16, network: '192.0.2.', networkPrefix: 24 },
  6: { vip: '2001:db8:a::10', clients: '2001:db8:c::', clientsPrefix: 64, network: '2001:db8:b::', networkPrefix: 64 },
};
const families: readonly Family[] = [4, 6];
const router = 254;
const realServers = [11, 12, 13, 14];
/** So many that 512k connections to four real servers find ports. */
const localAddresses = Array.from({ length: 16 }, (_, index) => 101 + index);

/** ovf lets so many connections to a real server before it goes on to the next: here, more than are measured. */
const weights: Readonly<Partial<Record<Scheduler, number>>> = { ovf: 1 << 20 };

/** One service for each scheduler, on ports from `port` on; their real servers are the same four. */
export function services(family: Family, method: Method, schedulers: readonly Scheduler[]): readonly Service[] {
  const { vip, network } = places[family];
  const own = (host: number): Address => parseAddress(`${network}${host}`);
  return schedulers.map((scheduler, index) => ({
    identity: { kind: 'address', protocol: 'tcp', vip: parseAddress(vip), port: port + index },
    scheduler,
    localAddresses: method === 'fullnat' ? localAddresses.map(own) : [],
    destinations: realServers.map((host) => ({
      rip: own(host),
      port: port + index,
      method,
      weight: weights[scheduler] ?? 1,
    })),
  }));
}

/** One-armed: the clients' router and the real servers are behind one interface. Every neighbour is known, so that no packet needs another program than the measured one. */
export function withScene<T>(table: readonly Service[], work: (maps: Maps, ingress: Ingress) => T): T {
  const name = `fairlead-bench-${process.pid}-${randomBytes(3).toString('hex')}`;
  ip('netns', 'add', name);
  try {
    lay(name);
    return withNetns(`/run/netns/${name}`, () => {
      try {
        using director = openDirector({ create: true, attach: { interfaces: ['d0'], hook: 'xdp' } });
        director?.change(() => ({ services: table }));
        const place = findPlace(false);
        using maps = place && openInstance(place);
        if (maps === undefined) throw new Error('the director has no instance');
        const ingress = interfaces().find(({ name: one }) => one === 'd0');
        if (ingress === undefined) throw new Error('the namespace has no d0');
        const result = work(maps, ingress);
        expectNoDrops(maps);
        return result;
      } finally {
        detach();
      }
    });
  } finally {
    ip('netns', 'del', name);
  }
}

/** A packet that is dropped costs little: its figure would be a lie. */
function expectNoDrops(maps: Maps): void {
  for (const [key, value] of maps.map('reasons').entries()) {
    const counts = new BigUint64Array(new Uint8Array(value).buffer);
    if (counts.some((count) => count > 0n)) {
      throw new Error(`the director dropped packets: ${maps.vocabulary.reasons[key.readUInt32LE(0)]}`);
    }
  }
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
