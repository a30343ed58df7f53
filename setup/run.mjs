// The door to every job: `node setup/run.mjs lab|test|bench|conformance|fuzz|soak|scale|build|check [ARGUMENTS]` installs what is missing, builds, runs.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.mjs';
import { withLock } from './lock.mjs';
import { installModules } from './modules.mjs';
import { SetupError, say } from './say.mjs';
import { installPackages, packages } from './system.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each job runs once all is there; none: the build itself was the job. */
const commands = {
  build: undefined,
  lab: ['dist/lab/bin.js'],
  bench: ['build/bench/bench/main.js'],
  conformance: ['build/conformance/test/conformance/main.js'],
  fuzz: ['build/conformance/test/fuzz/main.js'],
  soak: ['build/conformance/test/soak/main.js'],
  scale: ['build/conformance/test/scale/main.js'],
  check: ['setup/check.mjs'],
  test: ['setup/test.mjs'],
};

await main(process.argv.slice(2));

/** @param {readonly string[]} args */
async function main([job = '', ...rest]) {
  try {
    if (!isJob(job)) throw new SetupError(`unknown job '${job}': expected ${Object.keys(commands).join(', ')}`);
    setUp(job);
    const command = commands[job];
    if (command) process.exitCode = await execute([join(root, command[0] ?? ''), ...rest]);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}

/**
 * @param {string} name
 * @returns {name is keyof typeof commands}
 */
function isJob(name) {
  return Object.hasOwn(commands, name);
}

/** @param {keyof typeof commands} job */
function setUp(job) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 20)) {
    throw new SetupError(`Node 20.20 or newer is needed, this is ${process.versions.node}`);
  }
  if (process.platform !== 'linux') throw new SetupError(`Fairlead runs on Linux, this is ${process.platform}`);
  const start = performance.now();
  withLock(root, () => {
    const toolchain = installPackages(packages[job]);
    installModules(root);
    compile(root, toolchain);
  });
  say(`ready after ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/**
 * Runs a script in our place: it gets our terminal and our signals, we get its exit status.
 * @param {readonly string[]} script
 * @returns {Promise<number>}
 */
function execute(script) {
  const child = spawn(process.execPath, script, { stdio: 'inherit' });
  // A terminal sends Ctrl-C to every process in front of it, the child included.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (status, signal) => resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
