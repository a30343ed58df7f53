// Which network namespace this is, whether another still lives, and looking into one for a moment.
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { close, enterNetworkNamespace, socket, socketOption } from './libc.ts';
import { BpfMap, mapType } from './map.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const LOOPBACK_IFINDEX = 1;

/** Unlike its inode and its name a namespace's cookie is never given to another one, until the next boot. */
export function netnsCookie(): bigint {
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    return socketOption(fd, SOL_SOCKET, SO_NETNS_COOKIE, 8).readBigUInt64LE();
  } finally {
    close(fd);
  }
}

/** Whether this is the one that PID 1 is in: the machine's, or the container's. */
export function isFirstNamespace(): boolean {
  try {
    return readlinkSync('/proc/1/ns/net') === readlinkSync('/proc/self/ns/net');
  } catch {
    return false;
  }
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/**
 * A map that tells whether this network namespace still lives, to whoever opens it and from anywhere: it refers to the
 * namespace's loopback interface, and the kernel removes an interface from all such maps when it goes.
 */
export function createNetnsSentinel(name: string): BpfMap {
  const sentinel = BpfMap.create({ type: mapType.devmap, name, keySize: 4, valueSize: 4, maxEntries: 1 });
  try {
    sentinel.update(Buffer.alloc(4), Buffer.from(Uint32Array.of(LOOPBACK_IFINDEX).buffer));
    return sentinel;
  } catch (error) {
    sentinel[Symbol.dispose]();
    throw error;
  }
}

export function isNetnsAlive(sentinel: BpfMap): boolean {
  return sentinel.lookup(Buffer.alloc(4)) !== undefined;
}

/**
 * Runs `work` in another network namespace: `/run/netns/NAME` or `/proc/PID/ns/net`. Only this thread moves, so `work` must
 * not be asynchronous; processes it starts are in that namespace too.
 */
export function withNetns<T>(path: string, work: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openSync(path, 'r');
    try {
      enterNetworkNamespace(target);
    } finally {
      closeSync(target);
    }
    try {
      return work();
    } finally {
      enterNetworkNamespace(home);
    }
  } finally {
    closeSync(home);
  }
}
