// What outlives the daemon, and what is not worth believing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Health } from '../health/hysteresis.ts';
import { Memory, type MemoryPaths } from './memory.ts';

const health = new Map<string, Health>([
  ['k', { state: 'down', reason: 'r', against: 1, sinceMs: 2, weight: { percent: 3 } }],
]);
const overrides = new Map([
  ['tcp 192.0.2.10:80 10.1.0.1:80', { state: 'quiesced', who: 'ann', why: '', sinceMs: 1 } as const],
]);
const lostQuorums = new Set(['tcp 192.0.2.10:80']);
let folder: string;
let paths: MemoryPaths;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-memory-'));
  paths = { said: [join(folder, 'below', 'said'), join(folder, 'before')], health: join(folder, 'health') };
});

afterEach(() => rmSync(folder, { recursive: true }));

test('what is kept is read again', () => {
  using memory = new Memory(paths, () => health);
  memory.keepSaid({ overrides, lostQuorums });
  expect(read()).toEqual({ overrides, lostQuorums, health: new Map() });
  memory.keepHealth();
  memory[Symbol.dispose]();
  expect(read()).toEqual({ overrides, lostQuorums, health });
});

test('what was kept at another place is taken over, until there is something here', () => {
  const [, before] = paths.said;
  new Memory({ ...paths, said: [before ?? ''] }, () => health).keepSaid({ overrides, lostQuorums });
  expect(read()).toMatchObject({ overrides, lostQuorums });
  new Memory(paths, () => health).keepSaid({ overrides: new Map(), lostQuorums });
  expect(read()).toMatchObject({ overrides: new Map(), lostQuorums });
});

test('where nothing is there is nothing to tell', () => {
  expect(read()).toEqual({ overrides: new Map(), lostQuorums: new Set(), health: new Map() });
});

test.each(['', '{', '{"version":0}', 'null'])('%j is as none, and told', (text) => {
  paths = { said: [join(folder, 'said')], health: join(folder, 'health') };
  for (const path of [...paths.said, paths.health]) writeFileSync(path, text);
  const told: string[] = [];
  expect(read(told)).toEqual({ overrides: new Map(), lostQuorums: new Set(), health: new Map() });
  expect(told).toHaveLength(2);
});

function read(told: string[] = []): ReturnType<typeof Memory.read> {
  return Memory.read(paths, (why) => told.push(why));
}
