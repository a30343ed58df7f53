// When clients' connections speak against a real server, and for how long.
import { expect, test } from 'vitest';
import { PassiveHealth } from './passive.ts';

const checker = { kind: 'passive', failures: 3, withinMs: 10_000, pauseMs: 30_000 } as const;

test('so many within so long, and then a rest', () => {
  const passive = new PassiveHealth(checker);
  expect(passive.see(100, 0)).toBe(false); // of before
  expect(passive.see(102, 1000)).toBe(false);
  expect(passive.health.state).toBe('unknown');
  expect(passive.see(103, 9000)).toBe(true);
  expect(passive.health).toMatchObject({
    state: 'down',
    sinceMs: 9000,
    reason: '3 connections unanswered or refused within 10 s',
  });
  expect(passive.see(150, 38_000)).toBe(false);
  expect(passive.see(150, 39_000)).toBe(true);
  expect(passive.health.state).toBe('unknown');
  // What failed meanwhile counts no more.
  expect(passive.see(152, 40_000)).toBe(false);
});

test('too few, or too far apart', () => {
  const passive = new PassiveHealth(checker);
  for (let second = 0; second < 100; second += 6) expect(passive.see(second / 6, second * 1000)).toBe(false);
});

test('a counter that begins anew', () => {
  const passive = new PassiveHealth(checker);
  passive.see(50, 0);
  expect(passive.see(0, 1000)).toBe(false);
  expect(passive.see(3, 2000)).toBe(true);
});

test('what comes back with its counter begins with a clean slate', () => {
  const passive = new PassiveHealth(checker);
  passive.see(0, 0);
  expect(passive.see(5, 1000)).toBe(true);
  expect(passive.see(undefined, 2000)).toBe(false);
  expect(passive.see(undefined, 31_000)).toBe(true);
  expect(passive.see(5, 32_000)).toBe(false);
  expect(passive.see(7, 33_000)).toBe(false);
  expect(passive.see(8, 34_000)).toBe(true);
});
