// Where packets are measured: a network namespace of its own with a director at its real size, set to one table.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { detach, openDirector } from '../src/dataplane/director.ts';
import { openInstance } from '../src/dataplane/instance.ts';
import type { Maps } from '../src/dataplane/maps.ts';
import { findPlace } from '../src/dataplane/place.ts';
import { interfaces } from '../src/kernel/interfaces.ts';
import { withNetns } from '../src/kernel/namespace.ts';
import { parseAddress } from '../src/model/address.ts';
import type { Method, Scheduler, Service } from '../src/model/service.ts';
import type { Ingress } from './generator.ts';

export const vip = '198.51.100.10';
export const port = 80;
/** Clients are 10.64.0.0 to 10.64.255.255, behind a router. */
export const clients = '10.64.0.0';
const rips = [11, 12, 13, 14].map((last) => `192.0.2.${last}`);
/** So many that 512k connections to four real servers find ports. */
const localAddresses = Array.from({ length: 16 }, (_, index) => `192.0.2.${101 + index}`);
const router = '192.0.2.254';

/** One service for each scheduler, on ports from `port` on; their real servers are the same four. */
export function services(method: Method, schedulers: readonly Scheduler[]): readonly Service[] {
  return schedulers.map((scheduler, index) => ({
    identity: { kind: 'address', protocol: 'tcp', vip: parseAddress(vip), port: port + index },
    scheduler,
    localAddresses: method === 'fullnat' ? localAddresses.map(parseAddress) : [],
    destinations: rips.map((rip) => ({ rip: parseAddress(rip), port: port + index, method, weight: 1 })),
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
  inside('address', 'add', '192.0.2.1/24', 'dev', 'd0');
  for (const [index, address] of [...rips, router].entries()) {
    inside('neighbour', 'add', address, 'lladdr', `02:00:00:00:00:${10 + index}`, 'nud', 'permanent', 'dev', 'd0');
  }
  inside('route', 'add', `${clients}/16`, 'via', router);
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}
