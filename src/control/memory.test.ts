// What outlives the daemon, and what is not worth believing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Health } from '../health/hysteresis.ts';
import { healthPath, Memory } from './memory.ts';

const health = new Map<string, Health>([
  ['k', { state: 'down', reason: 'r', against: 1, sinceMs: 2, weight: { percent: 3 } }],
]);
const overrides = new Map([
  ['tcp 192.0.2.10:80 10.1.0.1:80', { state: 'quiesced', who: 'ann', why: '', sinceMs: 1 } as const],
]);
const lostQuorums = new Set(['tcp 192.0.2.10:80']);
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-memory-'));
  path = join(folder, 'below', 'memory');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('what is kept is read again', () => {
  using memory = new Memory(path, () => health);
  memory.keepSaid({ overrides, lostQuorums });
  expect(read()).toEqual({ overrides, lostQuorums, health: new Map() });
  memory.keepHealth();
  memory[Symbol.dispose]();
  expect(read()).toEqual({ overrides, lostQuorums, health });
});

test('where nothing is there is nothing to tell', () => {
  expect(read()).toEqual({ overrides: new Map(), lostQuorums: new Set(), health: new Map() });
});

test.each(['', '{', '{"version":0}', 'null'])('%j is as none, and told', (text) => {
  path = join(folder, 'memory');
  writeFileSync(path, text);
  writeFileSync(healthPath(path), text);
  const told: string[] = [];
  expect(read(told)).toEqual({ overrides: new Map(), lostQuorums: new Set(), health: new Map() });
  expect(told).toHaveLength(2);
});

function read(told: string[] = []): ReturnType<typeof Memory.read> {
  return Memory.read(path, (why) => told.push(why));
}
