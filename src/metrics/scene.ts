// What metrics are read from, as it is at one scrape.
import { setImmediate as breath } from 'node:timers/promises';
import type { Daemon } from '../control/daemon.ts';
import type { Status } from '../dataplane/status.ts';
import { type DeclaredService, defaultMostDestinations } from '../model/declared.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import type { History } from './history.ts';
import { labelText } from './metric.ts';

export interface Scene {
  readonly version: string;
  readonly services: readonly ServiceScene[];
  /** None where there are more than are to be told one by one. */
  readonly destinations: readonly DestinationScene[];
  readonly areDestinationsTold: boolean;
  /** undefined: nothing is attached. */
  readonly status: Status | undefined;
  readonly probes: ReturnType<Daemon['probeTallies']>;
  readonly history: History;
}

export interface ServiceScene {
  readonly labels: string;
  readonly key: string;
  readonly scheduler: string;
  readonly installed: InstalledService | undefined;
  /** undefined: the daemon does not declare it. */
  readonly declared: DeclaredScene | undefined;
}

export interface DeclaredScene {
  readonly hasQuorum: boolean;
  readonly destinations: number;
  readonly destinationsUp: number;
}

export interface DestinationScene {
  readonly labels: string;
  readonly installed: InstalledDestination | undefined;
  /** undefined: the daemon does not declare it. */
  readonly declared: { readonly isUp: boolean; readonly isOverridden: boolean } | undefined;
}

export interface SceneOptions {
  readonly daemon: Pick<Daemon, 'declared' | 'standing' | 'overrides' | 'isQuorumLost' | 'probeTallies'>;
  readonly installed: () => readonly InstalledService[];
  readonly status: () => Status | undefined;
  readonly history: History;
  readonly version: string;
}

/** One that asks is not to keep health checks waiting: it goes step by step, each of one moment. */
export async function readScene({ daemon, installed, status, history, version }: SceneOptions): Promise<Scene> {
  const present = new Map(installed().map((one) => [serviceKey(one.identity), one]));
  const declared = new Map(daemon.declared.services.map((one) => [serviceKey(one.identity), one]));
  const keys = new Set([...declared.keys(), ...present.keys()]);
  const most = daemon.declared.metrics?.mostDestinations ?? defaultMostDestinations;
  const areDestinationsTold = countOf(present.values()) <= most && countOf(declared.values()) <= most;
  const services: ServiceScene[] = [];
  const destinations: DestinationScene[] = [];
  let steps = 0;
  for (const key of keys) {
    const [one, own] = [present.get(key), declared.get(key)];
    services.push(toServiceScene(daemon, key, one, own));
    if (areDestinationsTold) destinations.push(...toDestinationScenes(daemon, key, one, own));
    steps += own?.destinations.length ?? 1;
    if (steps < stepsAtOnce) continue;
    steps = 0;
    await breath();
  }
  const probes = daemon.probeTallies();
  return { version, services, destinations, areDestinationsTold, status: status(), probes, history };
}

const stepsAtOnce = 1000;

function countOf(services: Iterable<{ readonly destinations: readonly unknown[] }>): number {
  let count = 0;
  for (const { destinations } of services) count += destinations.length;
  return count;
}

function toServiceScene(
  daemon: SceneOptions['daemon'],
  key: string,
  installed: InstalledService | undefined,
  declared: DeclaredService | undefined,
): ServiceScene {
  return {
    ...{ labels: labelText({ service: key }), key, installed },
    scheduler: installed?.scheduler ?? declared?.scheduler ?? '',
    declared: declared && {
      hasQuorum: !daemon.isQuorumLost(key),
      destinations: declared.destinations.length,
      destinationsUp: declared.destinations.filter((one) => isUp(daemon, `${key} ${destinationKey(one)}`)).length,
    },
  };
}

function toDestinationScenes(
  daemon: SceneOptions['daemon'],
  key: string,
  service: InstalledService | undefined,
  declared: DeclaredService | undefined,
): readonly DestinationScene[] {
  const present = new Map(service?.destinations.map((one) => [destinationKey(one), one]));
  const own = new Set(declared?.destinations.map(destinationKey));
  return Array.from(new Set([...own, ...present.keys()]), (destination) => {
    const subject = `${key} ${destination}`;
    const isOverridden = daemon.overrides().has(subject);
    return {
      labels: labelText({ service: key, destination }),
      installed: present.get(destination),
      declared: own.has(destination) ? { isUp: isUp(daemon, subject), isOverridden } : undefined,
    };
  });
}

/** What nobody has found anything wrong with is. */
function isUp(daemon: SceneOptions['daemon'], subject: string): boolean {
  return daemon.standing(subject)?.isUp !== false;
}
