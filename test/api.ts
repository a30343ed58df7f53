// A daemon and its API on a director that is held in memory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeldDirector } from '../src/api/held.ts';
import { toApp } from '../src/api/server.ts';
import type { Target } from '../src/control/apply.ts';
import { Daemon } from '../src/control/daemon.ts';
import { Journal } from '../src/control/journal.ts';
import type { Log } from '../src/control/log.ts';
import type { Status } from '../src/dataplane/status.ts';
import { openMetrics } from '../src/metrics/metrics.ts';
import type { Connection, InstalledService, Loads } from '../src/model/director.ts';
import { type Everything, nothingInstalled } from '../src/model/everything.ts';
import { destinationSubject, serviceKey } from '../src/model/table.ts';

export const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Director extends Target, HeldDirector {
  services(): readonly InstalledService[];
  loads(services: ReadonlySet<string>): Loads;
  status(): Status;
  connections: readonly Connection[];
  /** Keys of services whose counters were zeroed. */
  readonly zeroed: (string | undefined)[];
  /** By the destination's key. */
  weights(): Readonly<Record<string, number>>;
  /** Of each destination, how many connections it has not taken. */
  failures: number;
}

export interface ApiStage extends Disposable {
  readonly director: Director;
  /** Until the next restart. */
  readonly daemon: Daemon;
  readonly app: ReturnType<typeof toApp>;
  readonly metrics: ReturnType<typeof openMetrics>;
  readonly journal: Journal;
  /** What the daemon reads as its file. */
  text: string;
  restart(): void;
}

export function openApiStage(text: string): ApiStage {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-api-'));
  const director = inMemory();
  const start = (): Pick<ApiStage, 'daemon' | 'app' | 'metrics' | 'journal'> => {
    const journal = new Journal(join(folder, 'journal'));
    const load = () => ({ source: Buffer.from(stage.text), name: 'web.yaml' });
    const daemon = new Daemon({
      load,
      director,
      memory: { said: [join(folder, 'memory')], health: join(folder, 'health') },
      journal,
      log: silent,
    });
    const about = { daemon, journal, log: silent, version: '0' };
    const metrics = openMetrics({ ...about, installed: () => director.services(), status: () => director.status() });
    return { daemon, journal, metrics, app: toApp({ ...about, director, metrics }) };
  };
  const stage = {
    text,
    director,
    restart() {
      stage.daemon[Symbol.dispose]();
      Object.assign(stage, start());
    },
    [Symbol.dispose]() {
      stage.daemon[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  } as ApiStage & { daemon: Daemon };
  return Object.assign(stage, start());
}

const fill = { used: 1, size: 10 };
const dataplane: Status = {
  netnsCookie: 1n,
  attachments: [{ interface: 'eth0', index: 2, tc: true, xdp: false }],
  unattached: [],
  own: [],
  missingForwarding: [],
  connections: fill,
  services: fill,
  destinations: { ...fill, deleted: 0 },
  markRules: fill,
  localPorts: 0,
  sweep: { duePages: 0, lateS: 0, busyS: 0 },
  reasons: { 'no-route': 3n },
  events: { expired: 7n },
};

function inMemory(): Director {
  let present: Everything = nothingInstalled;
  const director: Director = {
    failures: 0,
    connections: [],
    zeroed: [],
    status: () => dataplane,
    connectionPage: (from, most) => {
      const connections = director.connections.slice(from, from + most);
      return { connections, next: from + most < director.connections.length ? from + most : undefined };
    },
    loads: (services) =>
      new Map(
        director
          .services()
          .flatMap(({ identity, destinations }) =>
            services.has(serviceKey(identity))
              ? destinations.map((one) => [destinationSubject(identity, one), one] as const)
              : [],
          ),
      ),
    zero: (identity) => void director.zeroed.push(identity && serviceKey(identity)),
    everything: () => present,
    changeEverything: (edit) => {
      present = edit(present);
    },
    services: () =>
      present.table.services.map((one) => ({
        ...one,
        ...counted,
        destinations: one.destinations.map((each) => ({ ...each, ...counted, ...unused, failures: director.failures })),
      })),
    weights: () =>
      Object.fromEntries(
        present.table.services
          .flatMap(({ destinations }) => destinations)
          .map(({ rip, port, weight }) => [`${rip.bytes.join('.')}:${port}`, weight]),
      ),
  };
  return director;
}

const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
const counted = { counters: none, rates: none };
const unused = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
