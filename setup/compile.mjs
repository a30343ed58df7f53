// From sources to what runs: bpf/*.bpf.c to build/bpf, src to dist, bench and conformance to build. Only what changed is made again.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { output, run } from './command.mjs';
import { SetupError, say } from './say.mjs';

const CLANG_FLAGS = ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror'];
const OLDEST_CLANG = 14;

/**
 * @param {string} root
 * @param {string} toolchain versions of the compiler and of the system's headers
 */
export function compile(root, toolchain) {
  const stampPath = join(root, 'build', '.setup.json');
  const stamp = readStamp(stampPath);
  const keep = (/** @type {string} */ output, /** @type {string} */ digest) => {
    stamp[output] = digest;
    writeFileSync(`${stampPath}.new`, `${JSON.stringify(stamp, null, 2)}\n`);
    renameSync(`${stampPath}.new`, stampPath);
  };
  compileObjects(root, toolchain, stamp, keep);
  compileTypeScript(root, stamp, keep);
}

/** @typedef {Record<string, string>} Stamp by output: the digest of all that it was made from */
/** @typedef {(output: string, digest: string) => void} Keep */

/**
 * @param {string} root
 * @param {string} toolchain
 * @param {Stamp} stamp
 * @param {Keep} keep
 */
function compileObjects(root, toolchain, stamp, keep) {
  const folder = join(root, 'build', 'bpf');
  mkdirSync(folder, { recursive: true });
  const sources = ['bpf', 'bench'].flatMap((name) => files(join(root, name), /^[^/]*\.bpf\.c$/));
  const headers = ['bpf', 'bench'].flatMap((name) => files(join(root, name), /\.h$/));
  const wanted = new Set(sources.map((source) => objectName(source)));
  for (const name of readdirSync(folder)) if (!wanted.has(name)) rmSync(join(folder, name));
  /** @type {string | undefined} */
  let clang;
  for (const source of sources) {
    const object = join(folder, objectName(source));
    const digest = digestOf([...headers, source], [toolchain, ...CLANG_FLAGS]);
    if (stamp[objectName(source)] === digest && existsSync(object)) continue;
    clang ??= findClang();
    say(`compiling ${source.slice(root.length + 1)} (${clang})`);
    const include = ['-I', join(root, 'bpf'), '-I', `/usr/include/${multiarch()}`];
    if (!run(clang, [...CLANG_FLAGS, ...include, '-c', source, '-o', `${object}.new`], { cwd: root })) {
      rmSync(`${object}.new`, { force: true });
      throw new SetupError(`${source.slice(root.length + 1)} does not compile (see above)`);
    }
    renameSync(`${object}.new`, object);
    keep(objectName(source), digest);
  }
}

/**
 * What stands beside src imports ../src/...: at run time that is dist, so that both use the same modules.
 * @param {string} stage
 */
function useDist(stage) {
  rmSync(join(stage, 'src'), { recursive: true, force: true });
  symlinkSync('../../dist', join(stage, 'src'));
}

/**
 * @param {string} root
 * @param {Stamp} stamp
 * @param {Keep} keep
 */
function compileTypeScript(root, stamp, keep) {
  const configs = ['package-lock.json', 'tsconfig.json', 'tsconfig.bench.json', 'tsconfig.conformance.json'].map(
    (name) => join(root, name),
  );
  const src = files(join(root, 'src'), /(?<!\.test)\.ts$/);
  const bench = files(join(root, 'bench'), /\.ts$/);
  const [bundler = '', precompiler = ''] = ['bundle.mjs', 'precompile.mjs'].map((name) => join(root, 'setup', name));
  emit('dist', 'tsconfig.json', digestOf([...configs, bundler, precompiler, ...src], [process.version]), (stage) => {
    if (!run(process.execPath, [bundler, stage], { cwd: root }))
      throw new SetupError('the commands can not be bundled');
  });
  if (bench.length === 0) return;
  emit('build/bench', 'tsconfig.bench.json', digestOf([...configs, ...src, ...bench]), useDist);
  const conformance = files(join(root, 'test'), /(?<!\.test)\.ts$/);
  emit('build/conformance', 'tsconfig.conformance.json', digestOf([...configs, ...src, ...conformance]), useDist);

  /**
   * @param {string} folder
   * @param {string} config
   * @param {string} digest
   * @param {(stage: string) => void} finish
   */
  function emit(folder, config, digest, finish) {
    const target = join(root, folder);
    if (stamp[folder] === digest && existsSync(target)) return;
    say(`compiling TypeScript into ${folder}`);
    const stage = join(root, 'build', '.emit');
    rmSync(stage, { recursive: true, force: true });
    mkdirSync(stage);
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    if (!run(tsc, ['-p', join(root, config), '--outDir', stage], { cwd: root })) {
      rmSync(stage, { recursive: true });
      throw new SetupError(`${config}: TypeScript found errors (see above)`);
    }
    finish(stage);
    replace(target, stage);
    keep(folder, digest);
  }
}

/**
 * @param {string} target
 * @param {string} stage
 */
function replace(target, stage) {
  const old = `${stage}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(target)) renameSync(target, old);
  renameSync(stage, target);
  rmSync(old, { recursive: true, force: true });
}

/** @returns {string} */
function findClang() {
  const numbered = [16, 17, 18, 19, 20, 21, 22, 15, 14].map((version) => `clang-${version}`);
  for (const name of [...numbered, 'clang']) {
    const version = /version (\d+)/.exec(output(name, ['--version']) ?? '')?.[1];
    if (Number(version) >= OLDEST_CLANG) return name;
  }
  throw new SetupError(`clang ${OLDEST_CLANG} or newer is needed, and none is in PATH`);
}

/** Where Debian keeps <asm/types.h>, which clang does not look into for the BPF target. */
function multiarch() {
  const machine =
    new Map([
      ['x64', 'x86_64'],
      ['arm64', 'aarch64'],
    ]).get(process.arch) ?? process.arch;
  return `${machine}-linux-gnu`;
}

/** @param {string} source */
function objectName(source) {
  return basename(source).replace(/\.c$/, '.o');
}

/**
 * @param {string} folder
 * @param {RegExp} pattern of the path below folder
 * @returns {string[]}
 */
function files(folder, pattern) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * @param {readonly string[]} paths
 * @param {readonly string[]} [facts]
 */
function digestOf(paths, facts = []) {
  const hash = createHash('sha256');
  for (const fact of facts) hash.update(`${fact}\0`);
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

/**
 * @param {string} path
 * @returns {Stamp}
 */
function readStamp(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {}; // none yet, or damaged: everything is made again
  }
}
