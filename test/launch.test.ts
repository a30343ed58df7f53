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
