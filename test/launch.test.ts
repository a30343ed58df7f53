// The launchers in bin/ run from anywhere: another folder, through a symbolic link, in another network namespace.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

describe.each(['fairlead', 'ipvsadm'])('%s', (name) => {
  const launcher = fileURLToPath(new URL(`../bin/${name}`, import.meta.url));
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-launch-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const help = (command: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(command, [...args, '--help'], { cwd: folder, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return stdout;
  };

  test('runs from another folder', () => {
    expect(help(launcher)).toContain(name);
  });

  test('runs through a symbolic link', () => {
    symlinkSync(launcher, join(folder, 'link'));
    expect(help(join(folder, 'link'))).toContain(name);
  });

  test.skipIf(process.getuid?.() !== 0)('runs in another network namespace', () => {
    const namespace = `fl-launch-${process.pid}-${name}`;
    spawnSync('ip', ['netns', 'add', namespace]);
    try {
      expect(help('ip', 'netns', 'exec', namespace, launcher)).toContain(name);
    } finally {
      spawnSync('ip', ['netns', 'delete', namespace]);
    }
  });
});

test('ipvsadm-save is itself also by a link of another name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-launch-'));
  try {
    symlinkSync(fileURLToPath(new URL('../bin/ipvsadm-save', import.meta.url)), join(folder, 'save'));
    const { status, stderr } = spawnSync(join(folder, 'save'), ['--help'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^ipvsadm-save: Script to save/) });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ['ipvsadm', '--version'],
  ['ipvsadm', '-A'],
  ['fairlead', '--version'],
])('%s %s loads a few files and no package, for that is most of the time it takes', (name, word) => {
  const launcher = fileURLToPath(new URL(`../bin/${name}`, import.meta.url));
  const script = `
    process.argv = ${JSON.stringify([process.execPath, launcher, word])};
    process.on('exit', () => process.stderr.write(Object.keys(require.cache).join('\\n')));
    require(process.argv[1]);`;
  const { stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  const loaded = stderr.split('\n').filter((line) => line.startsWith('/'));
  expect(loaded).toContain(launcher);
  expect(loaded.length).toBeLessThan(9);
  expect(loaded.filter((path) => path.includes('node_modules'))).toEqual([]);
});

test.each(['fairlead', 'ipvsadm'])('%s starts with what the build has compiled, which this Node takes', (name) => {
  const script = `
    const { readFileSync } = require('node:fs');
    const { wrap } = require('node:module');
    const { Script } = require('node:vm');
    const [path] = process.argv.slice(1);
    const { cachedDataRejected } = new Script(wrap(readFileSync(path, 'utf8')), { cachedData: readFileSync(path + '.code') });
    process.stdout.write(String(cachedDataRejected));`;
  const path = fileURLToPath(new URL(`../dist/${name}/bin.cjs`, import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script, path], { encoding: 'utf8' });
  expect(stdout, stderr).toBe('false');
});

test('a Node with other flags, which refuses what the build has compiled, compiles it itself', () => {
  const launcher = fileURLToPath(new URL('../bin/ipvsadm', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, ['--no-lazy', launcher, '--version'], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^ipvsadm v/) });
});
