// A BPF file system that every process finds and that stays: mounted in the mount namespace of PID 1.
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FairleadError } from '../model/error.ts';
import { mount } from './libc.ts';
import { withLock } from './lock.ts';

const BPF_FS_MAGIC = 0xcafe4a11;
const init = '1';
const self = 'self';

/**
 * Makes sure that there is a BPF file system at `directory` in PID 1's mount namespace, and returns the path that leads this
 * process to it. `ip netns exec` runs in a mount namespace of its own, and what is mounted there goes with it.
 */
export function ensureBpffs(directory: string): string {
  return (
    findBpffs(directory) ??
    withLock(join(dirname(directory), '.bpffs.lock'), () => findBpffs(directory) ?? mountBpffs(directory))
  );
}

/** The path that leads this process to the BPF file system, if there is one. */
export function findBpffs(directory: string): string | undefined {
  const device = bpffsDevice(mounts(init) ?? mounts(self), directory);
  if (device !== undefined) {
    if (isDevice(directory, device)) return directory;
    for (const pid of processesBesideInit()) {
      const path = `/proc/${pid}/root${directory}`;
      if (isDevice(path, device)) return path;
    }
  }
  // Where PID 1 is out of reach somebody has to mount it by hand, in a namespace that stays.
  return isBpffs(directory) && (isBesideInit(self) || firstBesideInit() === undefined) ? directory : undefined;
}

function mountBpffs(directory: string): string {
  if (isBesideInit(self)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    mount('bpf', directory, 'mode=0700');
  } else {
    const pid = firstBesideInit();
    if (pid === undefined) throw unreachable(directory);
    mountBeside(pid, directory);
  }
  const path = findBpffs(directory);
  if (path === undefined) throw unreachable(directory);
  return path;
}

/** By a process of its own: the kernel doesn't let one with several threads change its mount namespace. */
function mountBeside(pid: string, directory: string): void {
  const script = 'mkdir -p -m 0700 "$1" && mount -t bpf -o mode=0700 bpf "$1"';
  const args = ['--target', pid, '--mount', '--', 'sh', '-c', script, 'sh', directory];
  try {
    // Imported only here: it takes longer to load than everything else in this file.
    process
      .getBuiltinModule('node:child_process')
      .execFileSync('nsenter', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (cause) {
    throw unreachable(directory, cause);
  }
}

function unreachable(directory: string, cause?: unknown): FairleadError {
  return new FairleadError(
    'no-bpf',
    `a BPF file system is needed at ${directory}, in the mount namespace of PID 1, which can't be entered from here`,
    {
      cause,
      hint: `mount it there: mkdir -p ${directory} && mount -t bpf bpf ${directory}`,
    },
  );
}

interface Mount {
  readonly id: string;
  /** `major:minor` */
  readonly device: string;
  readonly point: string;
  readonly type: string;
}

/** As /proc/PID/mountinfo tells; undefined when it may not be read or the process is gone. */
function mounts(pid: string): Mount[] | undefined {
  const text = readOrUndefined(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  return text
    ?.trimEnd()
    .split('\n')
    .map((line) => {
      const fields = line.split(' ');
      return {
        id: fields[0] ?? '',
        device: fields[2] ?? '',
        point: fields[4] ?? '',
        type: fields[fields.indexOf('-') + 1] ?? '',
      };
    });
}

function bpffsDevice(all: readonly Mount[] | undefined, directory: string): string | undefined {
  return all?.findLast(({ point, type }) => point === directory && type === 'bpf')?.device;
}

function isDevice(path: string, device: string): boolean {
  const dev = readOrUndefined(() => statSync(path).dev);
  if (dev === undefined) return false;
  // glibc's gnu_dev_major and gnu_dev_minor, for numbers that fit in 32 bits.
  return device === `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
}

function isBpffs(path: string): boolean {
  return readOrUndefined(() => statfsSync(path).type) === BPF_FS_MAGIC;
}

/** Names a process's mount namespace: ids of mounts are unique in the whole system, and each namespace has its own. */
function mountNamespace(pid: string): string | undefined {
  return mounts(pid)?.[0]?.id;
}

function isBesideInit(pid: string): boolean {
  const home = mountNamespace(init);
  return home === undefined || mountNamespace(pid) === home;
}

function firstBesideInit(): string | undefined {
  for (const pid of processesBesideInit()) return pid;
  return undefined;
}

/** Through which PID 1's mount namespace can be entered. PID 1 may refuse that itself; its kernel threads and our parents don't. */
export function* processesBesideInit(): Generator<string> {
  const home = mountNamespace(init);
  if (home === undefined) return;
  for (const pid of candidates()) {
    const isReachable = readOrUndefined(() => readlinkSync(`/proc/${pid}/ns/mnt`)) !== undefined;
    if (isReachable && mountNamespace(pid) === home) yield pid;
  }
}

function* candidates(): Generator<string> {
  yield init;
  yield '2';
  yield* readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== init && name !== '2');
}

function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
