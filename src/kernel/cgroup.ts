// The root of the unified cgroup hierarchy (version 2), which need not be mounted where this process looks.
import { readFileSync, statfsSync } from 'node:fs';
import { FairleadError } from '../model/error.ts';
import { processesBesideInit } from './pinning.ts';

const CGROUP2_MAGIC = 0x63677270;

/**
 * The path of its directory. In the mount namespace of `ip netns exec` it is reached through a process outside: a fresh /sys hides
 * it there. Throws not-supported where it is nowhere mounted.
 */
export function findCgroupRoot(): string {
  for (const path of candidates()) if (isCgroup(path)) return path;
  throw new FairleadError('not-supported', 'the unified cgroup hierarchy (cgroup2) is not mounted', {
    hint: 'mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2',
  });
}

function* candidates(): Generator<string> {
  yield* mountPoints('self');
  for (const pid of processesBesideInit()) for (const point of mountPoints(pid)) yield `/proc/${pid}/root${point}`;
}

/** Those that show the hierarchy's own root come first: its fourth field is where in the hierarchy a mount starts. */
function mountPoints(pid: string): readonly string[] {
  return read(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter((line) => line.includes(' - cgroup2 '))
    .map((line) => line.split(' '))
    .sort(([, , , one = ''], [, , , other = '']) => one.length - other.length)
    .map((fields) => fields[4] ?? '');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process is gone, or not ours to look at
  }
}

function isCgroup(path: string): boolean {
  try {
    return statfsSync(path).type === CGROUP2_MAGIC;
  } catch {
    return false;
  }
}
