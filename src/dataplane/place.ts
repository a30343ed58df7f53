// Where things are: the compiled programs, the BPF file system, and each network namespace's own directory and lock.
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFirstNamespace, netnsCookie } from '../kernel/namespace.ts';
import { ensureBpffs, findBpffs } from '../kernel/pinning.ts';

const runtimeDirectory = '/run/fairlead';
const stateDirectory = '/var/lib/fairlead';
const bpffs = join(runtimeDirectory, 'bpf');

export const objectPath = fileURLToPath(new URL('../../build/bpf/director.bpf.o', import.meta.url));
export const holdPath = fileURLToPath(new URL('../../build/bpf/hold.bpf.o', import.meta.url));

/** One network namespace's. */
export interface Place {
  /** Of a whole instance. */
  readonly directory: string;
  /** Of one that is being made: it becomes `directory` by a rename when all of it is there. */
  readonly unfinished: string;
  readonly lock: string;
  readonly daemon: DaemonPlace;
}

/** What the daemon of one network namespace keeps. */
export interface DaemonPlace {
  readonly lock: string;
  readonly memory: string;
  readonly journal: string;
  /** A unix socket. */
  readonly api: string;
}

/** The calling process's; undefined where there is no BPF file system yet, unless it is to be made. */
export function findPlace(create: boolean): Place | undefined {
  const root = create ? ensureBpffs(bpffs) : findBpffs(bpffs);
  return root === undefined ? undefined : placeOf(root, String(netnsCookie()));
}

export function lockPath(): string {
  return join(runtimeDirectory, `${netnsCookie()}.lock`);
}

export function daemonPlace(): DaemonPlace {
  return daemonPlaceOf(String(netnsCookie()));
}

/**
 * A file that outlives a boot: in the state directory of the daemon's systemd unit, else of the machine. undefined in another network
 * namespace than the machine's own, which does not outlive a boot either.
 */
export function lastingPath(name: string): string | undefined {
  const [given = ''] = (process.env.STATE_DIRECTORY ?? '').split(':');
  if (given !== '') return join(given, name);
  return isFirstNamespace() ? join(stateDirectory, name) : undefined;
}

function daemonPlaceOf(name: string): DaemonPlace {
  const path = join(runtimeDirectory, name);
  return { lock: `${path}.daemon`, memory: `${path}.memory`, journal: `${path}.journal`, api: `${path}.api` };
}

/** The lock of the daemon whose socket this is; undefined of a path that is no daemon's. */
export function daemonLockBeside(socket: string): string | undefined {
  const name = /^(\d+)\.api$/.exec(relative(runtimeDirectory, socket))?.[1];
  return name === undefined ? undefined : daemonPlaceOf(name).lock;
}

/** bpffs takes no names with dots. */
const unfinishedSuffix = '_new';

/** All namespaces', dead ones included. */
export function allPlaces(): readonly Place[] {
  const root = findBpffs(bpffs);
  if (root === undefined) return [];
  const names = readdirSync(root).map((name) => name.replace(unfinishedSuffix, ''));
  return [...new Set(names)].filter((name) => /^\d+$/.test(name)).map((name) => placeOf(root, name));
}

function placeOf(root: string, name: string): Place {
  return {
    directory: join(root, name),
    unfinished: join(root, name + unfinishedSuffix),
    lock: join(runtimeDirectory, `${name}.lock`),
    daemon: daemonPlaceOf(name),
  };
}
