// A lock between processes: the kernel frees it when its holder dies, however that happens.
import { closeSync, fstatSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { attempt } from './errno.ts';
import { flockExclusive, flockNow } from './libc.ts';

export interface Lock extends Disposable {
  /** A child that has it too keeps the lock until it ends. */
  readonly fd: number;
}

/**
 * Waits, blocking the whole process, until the lock on this file is ours; dispose frees it. The file stays, unless its
 * holder unlinks it: who waited for it then locks the new one.
 */
export function acquireLock(path: string): Lock {
  attempt('mkdir', dirname(path), () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
  for (;;) {
    const fd = attempt('open', path, () => openSync(path, 'a', 0o600));
    try {
      flockExclusive(fd, path);
      if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) {
        return { fd, [Symbol.dispose]: () => closeSync(fd) };
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/** undefined when another process has it. */
export function tryLock(path: string): Disposable | undefined {
  attempt('mkdir', dirname(path), () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
  const fd = attempt('open', path, () => openSync(path, 'a', 0o600));
  if (flockNow(fd, path)) return { [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  return undefined;
}

/** `work` must not be asynchronous: the lock is freed when it returns. */
export function withLock<T>(path: string, work: () => T): T {
  using _lock = acquireLock(path);
  return work();
}

/** Only while its lock is held. */
export function removeLockFile(path: string): void {
  rmSync(path, { force: true });
}
