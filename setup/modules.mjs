// npm packages: node_modules is what package-lock.json says, or is replaced whole.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { SetupError, say } from './say.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Entry */

/** @param {string} root */
export function installModules(root) {
  if (isInstalled(root)) return;
  say('installing npm packages');
  const stage = join(root, 'build', '.npm');
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(join(root, file), join(stage, file));
  if (!run('npm', ['ci', '--loglevel=warn', '--no-progress'], { cwd: stage })) {
    throw new SetupError('npm ci failed (see above): is there a network, and a registry?');
  }
  const modules = join(root, 'node_modules');
  if (existsSync(modules)) renameSync(modules, join(stage, 'old'));
  renameSync(join(stage, 'node_modules'), modules);
  rmSync(stage, { recursive: true, force: true });
}

/**
 * npm writes node_modules/.package-lock.json as the last step of an installation that went well.
 * @param {string} root
 */
function isInstalled(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = readLock(join(root, 'package-lock.json'));
  const installed = readLock(record);
  return Object.entries(wanted).every(([path, entry]) => {
    const found = installed[path];
    if (path === '' || (found === undefined && !isNeeded(entry))) return true;
    return found?.version === entry.version && found?.integrity === entry.integrity;
  });
}

/** @param {Entry} entry an optional package is one platform's, or a stand-in for those without one */
function isNeeded({ optional, os, cpu, libc }) {
  if (!optional) return true;
  return Boolean(os?.includes('linux') && cpu?.includes(process.arch) && libc?.includes('glibc') !== false);
}

/**
 * @param {string} path
 * @returns {Record<string, Entry>}
 */
function readLock(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}
