// A lock between two processes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeLockFile, withLock } from './lock.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fairlead-lock-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

test('a lock is waited for until its holder is done', async () => {
  const path = join(directory, 'made', 'on', 'demand.lock');
  const log = join(directory, 'log');
  const waiter = withLock(path, () => {
    const child = holdFrom(path, `echo waiter >> ${log}`);
    writeFileSync(log, 'holder\n');
    return child;
  });
  await once(waiter, 'exit');
  expect(readFileSync(log, 'utf8')).toBe('holder\nwaiter\n');
});

test('a lock is free when its holder was killed', async () => {
  const path = join(directory, 'lock');
  const holder = holdFrom(path, 'echo held; exec cat');
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  expect(withLock(path, () => 'mine')).toBe('mine');
});

test('who waited for a lock whose holder removed the file locks the new file', async () => {
  const path = join(directory, 'lock');
  const holder = holdFrom(path, `echo held; sleep 0.2; rm ${path}`);
  await once(holder.stdout, 'data');
  expect(withLock(path, () => existsSync(path))).toBe(true);
});

test('a lock file can be removed while it is locked', () => {
  const path = join(directory, 'lock');
  withLock(path, () => removeLockFile(path));
  expect(existsSync(path)).toBe(false);
});

test('a lock is freed when the work throws', () => {
  const path = join(directory, 'lock');
  expect(() =>
    withLock(path, () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(withLock(path, () => 'mine')).toBe('mine');
});

/** util-linux's flock(1) takes the same lock as we do; the shell takes its place, so that killing the child frees it. */
function holdFrom(path: string, script: string) {
  return spawn('flock', ['--no-fork', path, 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
}
