// The BPF file system, made and found from the host, from `ip netns exec` and from `nsenter`.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestNamespace, testNamespace } from '../../test/kernel/namespace.ts';
import { BpfMap } from './map.ts';
import { ensureBpffs, findBpffs } from './pinning.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let built: string;
let directory: string;
let namespace: TestNamespace;

beforeAll(() => {
  built = buildKernel();
});

beforeEach(() => {
  directory = `/run/fairlead-test-${process.pid}-${randomBytes(3).toString('hex')}/bpf`;
  namespace = testNamespace();
});

afterEach(() => {
  namespace[Symbol.dispose]();
  while (mountsOf(directory) > 0) execFileSync('umount', [directory]);
  rmSync(join(directory, '..'), { recursive: true, force: true });
});

afterAll(() => rmSync(built, { recursive: true }));

test('it is made once, and found from then on', () => {
  expect(findBpffs(directory)).toBeUndefined();
  expect(ensureBpffs(directory)).toBe(directory);
  expect(ensureBpffs(directory)).toBe(directory);
  expect(findBpffs(directory)).toBe(directory);
  expect(mountsOf(directory)).toBe(1);
});

const wrappers = [
  ['ip netns exec', () => ['ip', 'netns', 'exec', namespace.name]],
  ['nsenter --net', () => ['nsenter', `--net=/run/netns/${namespace.name}`]],
  ['a private mount namespace', () => ['unshare', '--mount', '--propagation', 'private']],
] as const;

test.each(wrappers)(
  'what is pinned inside of %s, the first to make it, stays and is found by all',
  async (_, words) => {
    await pinFrom(words());
    expect(findBpffs(directory)).toBe(directory);
    using pinned = BpfMap.openPinned(`${directory}/pinned`);
    expect(pinned?.info.name).toBe('pinned');
    expect(await findFrom(words())).toContain('pinned');
  },
);

test.each(wrappers)('what is pinned outside is found inside of %s', async (_, words) => {
  ensureBpffs(directory);
  await pinFrom([]);
  expect(await findFrom(words())).toContain('pinned');
});

test('when several make it at once, all get the same', async () => {
  const inside = ['ip', 'netns', 'exec', namespace.name];
  await Promise.all([inside, [], inside, []].map((words, index) => pinFrom(words, `pinned${index}`)));
  expect(mountsOf(directory)).toBe(1);
  expect([0, 1, 2, 3].map((index) => existsSync(`${directory}/pinned${index}`))).toEqual([true, true, true, true]);
});

/** In a process of its own, started by these words. */
function pinFrom(words: readonly string[], name = 'pinned'): Promise<string> {
  return runFrom(
    words,
    `const sizes = { keySize: 4, valueSize: 4, maxEntries: 1 };
     BpfMap.create({ type: 2, name: 'pinned', ...sizes }).pin(ensureBpffs(${JSON.stringify(directory)}) + '/${name}');`,
  );
}

/** The names pinned there. */
function findFrom(words: readonly string[]): Promise<string> {
  return runFrom(words, `console.log(readdirSync(ensureBpffs(${JSON.stringify(directory)})).join('\\n'));`);
}

async function runFrom(words: readonly string[], script: string): Promise<string> {
  const imports = `import { readdirSync } from 'node:fs';
    import { BpfMap } from '${built}/dist/kernel/map.js';
    import { ensureBpffs } from '${built}/dist/kernel/pinning.js';`;
  const [command = '', ...rest] = [...words, process.execPath, '--input-type=module', '--eval', imports + script];
  const { stdout } = await promisify(execFile)(command, rest);
  return stdout;
}

function mountsOf(path: string): number {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => line.split(' ')[4] === path).length;
}

/** As the package's build does, for the processes that a test has to start. */
function buildKernel(): string {
  const target = mkdtempSync(join(tmpdir(), 'fairlead-kernel-'));
  mkdirSync(join(target, 'dist'));
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
  writeFileSync(join(target, 'package.json'), '{ "type": "module" }');
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      rootDir: join(root, 'src'),
      outDir: join(target, 'dist'),
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [join(root, 'src/kernel')],
    exclude: [join(root, 'src/**/*.test.ts')],
  };
  writeFileSync(join(target, 'tsconfig.json'), JSON.stringify(config));
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', target]);
  return target;
}
