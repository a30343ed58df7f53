// Running other programs.
import { spawnSync } from 'node:child_process';
import { SetupError } from './say.mjs';

/** @type {number[]} */
const inherited = [];

/**
 * While work is done, every program that is run holds fd open too: a lock must outlive a setup killed while npm is at work.
 * @template T
 * @param {number} fd
 * @param {() => T} work
 * @returns {T}
 */
export function whileInherited(fd, work) {
  inherited.push(fd);
  try {
    return work();
  } finally {
    inherited.pop();
  }
}

/**
 * Runs a command with its output on stderr.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {boolean} whether it ended well
 */
export function run(command, args, options = {}) {
  const { error, status, signal } = spawnSync(command, args, { ...options, stdio: ['ignore', 2, 2, ...inherited] });
  if (error) throw new SetupError(`${command} could not be started: ${error.message}`);
  if (signal === 'SIGINT' || signal === 'SIGTERM') throw new SetupError(`interrupted while ${command} was running`);
  return status === 0;
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {string | undefined} what it printed on stdout; undefined if it is not there
 */
export function output(command, args) {
  const { error, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return error ? undefined : stdout;
}
