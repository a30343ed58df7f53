// Services as the data plane has them and as the daemon knows them, side by side.
import type { DestinationStatus, ServiceStatus } from '../../../api/contract.ts';
import { openDirector } from '../../../dataplane/director.ts';
import type { InstalledDestination, InstalledService } from '../../../model/director.ts';
import { FairleadError } from '../../../model/error.ts';
import { destinationKey, serviceKey } from '../../../model/table.ts';
import { connectHere } from '../daemon/override.ts';

export interface View {
  /** Services that are declared come first, in the order of the configuration. */
  readonly services: readonly ServiceView[];
  readonly hasDaemon: boolean;
}

export interface ServiceView {
  /** serviceKey's. */
  readonly key: string;
  /** undefined: it is declared, and was taken away by hand. */
  readonly installed: InstalledService | undefined;
  /** undefined: it is somebody's who used ipvsadm, or no daemon runs. */
  readonly declared: ServiceStatus | undefined;
  readonly destinations: readonly DestinationView[];
}

export interface DestinationView {
  /** destinationKey's. */
  readonly key: string;
  /** undefined: it is declared, and down or drained. */
  readonly installed: InstalledDestination | undefined;
  /** undefined: it is the sorry server, or nobody declares it. */
  readonly declared: DestinationStatus | undefined;
}

/** Throws not-attached where there is neither a data plane nor a daemon. */
export async function readView(): Promise<View> {
  const declared = await readDeclared();
  const installed = readInstalled(declared !== undefined);
  if (declared === undefined && installed === undefined)
    throw new FairleadError('not-attached', 'nothing is attached in this network namespace', {
      hint: "add a service with ipvsadm, or start a daemon: 'fairlead run -c FILE'",
    });
  return toView(installed ?? [], declared);
}

export function toView(installed: readonly InstalledService[], declared: readonly ServiceStatus[] | undefined): View {
  const present = new Map(installed.map((one) => [serviceKey(one.identity), one]));
  const known = new Map((declared ?? []).map((one) => [one.service, one]));
  const keys = new Set([...known.keys(), ...present.keys()]);
  return {
    services: Array.from(keys, (key) => toServiceView(key, present.get(key), known.get(key))),
    hasDaemon: declared !== undefined,
  };
}

function toServiceView(
  key: string,
  installed: InstalledService | undefined,
  declared: ServiceStatus | undefined,
): ServiceView {
  const present = new Map((installed?.destinations ?? []).map((one) => [destinationKey(one), one]));
  const known = new Map((declared?.destinations ?? []).map((one) => [one.destination, one]));
  const keys = new Set([...known.keys(), ...present.keys()]);
  return {
    key,
    installed,
    declared,
    destinations: Array.from(keys, (one) => ({ key: one, installed: present.get(one), declared: known.get(one) })),
  };
}

async function readDeclared(): Promise<readonly ServiceStatus[] | undefined> {
  try {
    return (await connectHere().status()).services;
  } catch (error) {
    if (error instanceof FairleadError && (error.code === 'daemon-missing' || error.code === 'not-root'))
      return undefined;
    throw error;
  }
}

/** Whoever may use the daemon's socket and is not root sees what the daemon tells. */
export function readInstalled(hasDaemon: boolean): readonly InstalledService[] | undefined {
  try {
    using director = openDirector({ create: false });
    return director?.services();
  } catch (error) {
    if (hasDaemon && error instanceof FairleadError && error.code === 'not-root') return undefined;
    throw error;
  }
}
