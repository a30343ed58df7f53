// The benchmarks: that each row they print is whole, not what it says.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { groups } from '../../bench/row.ts';
import { methods, schedulers } from '../../src/model/service.ts';
import { root } from '../root.ts';
import { until } from './until.ts';

interface Row {
  readonly group: string;
  readonly name: string;
  readonly family?: number;
  readonly flows?: number;
  readonly unit: string;
  readonly ns?: number;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
}

interface Document {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly kernel: string };
  readonly rows: readonly Row[];
  readonly limits: readonly { readonly claim: string; readonly got: number; readonly holds: boolean }[];
  readonly floorNs: number;
}

const main = join(root, 'build/bench/bench/main.js');
const bench = (...args: readonly string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('the quick groups packet and control', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-test-'));
  let document: Document;
  const named = (name: string): readonly Row[] => document.rows.filter((row) => row.name === name);

  beforeAll(() => {
    const { status, stdout, stderr } = bench('packet', 'control', '--quick', '--json', '--results', folder);
    expect(status, stderr).toBe(0);
    document = JSON.parse(stdout);
  }, 180_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('print rows with a group, a unit, and a spread around the median', () => {
    expect(new Set(document.rows.map(({ group }) => group))).toEqual(new Set(['packet', 'control']));
    for (const row of document.rows) {
      expect(row.runs, row.name).toBeGreaterThan(0);
      expect(row.low, row.name).toBeLessThanOrEqual(row.median);
      expect(row.high, row.name).toBeGreaterThanOrEqual(row.median);
      expect(typeof row.ns, row.name).toBe(row.unit === 'ns' ? 'number' : 'undefined');
    }
  });

  test.each(methods)('measure %s, established and new, of both families', (method) => {
    for (const state of ['established', 'new', 'established, UDP', 'new, UDP']) {
      const found = named(`${method} ${state}`);
      expect(new Set(found.map(({ family }) => family)), state).toEqual(new Set([4, 6]));
      // How long is no test's business: of so few packets the generator's own time, when others ran, may be more than theirs.
      for (const { ns } of found) expect(ns, state).toSatisfy(Number.isFinite);
    }
  });

  test('measure every scheduler', () => {
    const missing = schedulers.filter((scheduler) => scheduler !== 'none' && named(`${scheduler} new`).length === 0);
    expect(missing).toEqual([]);
  });

  test('time ipvsadm and fairlead apply', () => {
    for (const name of ['Fairlead, list', 'Fairlead, restore', 'fairlead apply, unchanged']) {
      expect(named(name).map(({ median }) => median > 0)).toEqual([true, true]);
    }
  });

  test('time the last packet to a real server that has died', () => {
    for (const how of ['killed', 'silent']) {
      const [row] = named(`last packet to a real server that is ${how}`);
      expect(row?.median, how).toBeGreaterThan(0);
    }
  });

  test('say what the machine is, and hold rows to limits', () => {
    expect(document.machine).toMatchObject({ cpu: expect.any(String), cores: expect.any(Number) });
    expect(document.floorNs).toBeGreaterThan(0);
    expect(document.limits.length).toBeGreaterThan(0);
    for (const limit of document.limits) expect(limit, limit.claim).toMatchObject({ got: expect.any(Number) });
  });

  test.each(['packet', 'control'])('write %s as a document and as a chart', (group) => {
    const rows = JSON.parse(readFileSync(join(folder, `${group}.json`), 'utf8')).rows as readonly Row[];
    expect(rows).toEqual(document.rows.filter((row) => row.group === group));
    expect(readFileSync(join(folder, `${group}.svg`), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
  });
});

/** In the middle of a program that is waited for, and of packets. */
test.each([
  ['SIGINT', 130, 'control'],
  ['SIGTERM', 143, 'packet'],
] as const)('%s ends it with status %i, and nothing of the group %s is left', async (signal, expected, group) => {
  const output = (command: string, ...words: readonly string[]): string =>
    spawnSync(command, words, { encoding: 'utf8' }).stdout;
  const child = spawn(process.execPath, [main, group, '--quick'], { stdio: 'ignore' });
  let prefix = 'none yet';
  const isOpen = (): boolean => output('ip', 'netns', 'list').includes(prefix);
  await until(() => {
    // Named after the process that measures.
    const measuring = output('pgrep', '-P', String(child.pid)).trim();
    if (measuring !== '') prefix = `fairlead-bench-${measuring}-`;
    return isOpen();
  });
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([expected, null]);
  expect(isOpen()).toBe(false);
});

test.each([
  [['packets'], 'expected one of packet'],
  [['--jsno'], '--jsno'],
  [['packet', '--results'], '--results'],
])('bench %j is refused', (args, said) => {
  const { status, stdout, stderr } = bench(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(said);
});

test('bench --help names every group', () => {
  const { status, stdout } = bench('--help');
  expect(status).toBe(0);
  for (const group of groups) expect(stdout).toMatch(new RegExp(`^  ${group} `, 'm'));
});
