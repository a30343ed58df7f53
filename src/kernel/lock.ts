// A lock between processes: the kernel frees it when its holder dies, however that happens.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { flockExclusive } from './libc.ts';

/** Waits, blocking the whole process, until the lock on this file is ours; dispose frees it. The file stays. */
export function acquireLock(path: string): Disposable {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const fd = openSync(path, 'a', 0o600);
  try {
    flockExclusive(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** `work` must not be asynchronous: the lock is freed when it returns. */
export function withLock<T>(path: string, work: () => T): T {
  using _lock = acquireLock(path);
  return work();
}
