// One setup at a time in this tree. The kernel drops the lock with its last holder, so a killed setup leaves none behind.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { whileInherited } from './command.mjs';
import { SetupError, say } from './say.mjs';

/**
 * @template T
 * @param {string} root
 * @param {() => T} work
 * @returns {T}
 */
export function withLock(root, work) {
  const fd = openLock(root);
  try {
    if (!flock(fd, ['-n'])) {
      say('another setup is at work in this tree: waiting for it');
      if (!flock(fd, [])) throw new SetupError('the lock build/.setup.lock could not be taken');
    }
    return whileInherited(fd, work);
  } finally {
    closeSync(fd);
  }
}

/** @param {string} root */
function openLock(root) {
  try {
    mkdirSync(join(root, 'build'), { recursive: true });
    return openSync(join(root, 'build', '.setup.lock'), 'a');
  } catch (cause) {
    throw new SetupError(`${root} can't be written: ${cause}. Run this as root, or as who owns the tree`);
  }
}

/**
 * flock(1) locks the open file it is given as descriptor 3, which stays locked after it has ended.
 * @param {number} fd
 * @param {readonly string[]} options
 */
function flock(fd, options) {
  const { error, status } = spawnSync('flock', [...options, '3'], { stdio: ['ignore', 2, 2, fd] });
  if (error) throw new SetupError(`flock (util-linux) could not be started: ${error.message}`);
  return status === 0;
}
