// A director held in memory, with IPVS's rules and no packets: what tests of everything above the data plane run against.
import {
  type Connection,
  type Counters,
  type Director,
  defaultTimeouts,
  type InstalledService,
  type Rates,
} from './director.ts';
import { FairleadError } from './error.ts';
import { emptyTable, type ServiceIdentity, type Table } from './service.ts';
import type { SyncDaemon } from './sync.ts';
import { destinationKey, serviceKey } from './table.ts';

export interface FakeDirector extends Director {
  table(): Table;
  /** What traffic would have left behind; what is not given stays as it was. */
  setTraffic(identity: ServiceIdentity, traffic: Traffic): void;
  setConnections(connections: readonly Connection[]): void;
  readonly changes: number;
}

export interface Traffic {
  readonly service?: Partial<Measured>;
  /** By destinationKey. */
  readonly destinations?: Readonly<Record<string, Partial<MeasuredDestination>>>;
}

interface Measured {
  readonly counters: Counters;
  readonly rates: Rates;
}

interface MeasuredDestination extends Measured {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
}

const none: Counters = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
const idle = { counters: none, rates: none };
const idleDestination = { ...idle, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };

export function openFakeDirector(initial: Table = emptyTable): FakeDirector {
  let table = initial;
  let connections: readonly Connection[] = [];
  let timeouts = defaultTimeouts;
  let daemons: readonly SyncDaemon[] = [];
  let changes = 0;
  const traffic = new Map<string, Traffic>();

  function installed(service: Table['services'][number]): InstalledService {
    const seen = traffic.get(serviceKey(service.identity));
    const destinations = service.destinations.map((destination) => ({
      ...destination,
      ...idleDestination,
      ...seen?.destinations?.[destinationKey(destination)],
    }));
    return { ...service, ...idle, ...seen?.service, destinations };
  }

  function zeroOne(identity: ServiceIdentity): void {
    const seen = traffic.get(serviceKey(identity));
    const destinations = Object.entries(seen?.destinations ?? {}).map(([key, one]) => [key, { ...one, ...idle }]);
    traffic.set(serviceKey(identity), { destinations: Object.fromEntries(destinations) });
  }

  return {
    services: () => table.services.map(installed),
    connections: () => connections,
    timeouts: () => timeouts,
    setTimeouts: (wanted) => {
      timeouts = wanted;
    },
    syncDaemons: () => daemons,
    changeSyncDaemons: (edit) => {
      daemons = edit(daemons);
    },
    change: (edit) => {
      table = edit(table);
      changes += 1;
    },
    zero: (identity) => {
      const chosen = table.services.filter((one) => !identity || serviceKey(one.identity) === serviceKey(identity));
      if (identity && chosen.length === 0) {
        throw new FairleadError('service-missing', `there is no service ${serviceKey(identity)}`);
      }
      for (const service of chosen) zeroOne(service.identity);
    },
    table: () => table,
    setTraffic: (identity, seen) =>
      void traffic.set(serviceKey(identity), merged(traffic.get(serviceKey(identity)), seen)),
    setConnections: (wanted) => {
      connections = wanted;
    },
    get changes() {
      return changes;
    },
    [Symbol.dispose]: () => {},
  };
}

function merged(before: Traffic | undefined, seen: Traffic): Traffic {
  const destinations = { ...before?.destinations };
  for (const [key, one] of Object.entries(seen.destinations ?? {}))
    destinations[key] = { ...destinations[key], ...one };
  return { service: { ...before?.service, ...seen.service }, destinations };
}
