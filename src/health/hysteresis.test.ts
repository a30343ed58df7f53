// When verdicts become health: the laws of rise and fall.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Health, untested, weigh } from './hysteresis.ts';
import type { State, Verdict } from './verdict.ts';

const states = fc.array(fc.constantFrom<State>('up', 'down', 'unknown'), { maxLength: 40 });
const thresholds = fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) });

test('nothing is down before fall verdicts in a row said so, and nothing that was down is up before rise did', () => {
  fc.assert(
    fc.property(states, thresholds, (verdicts, { rise, fall }) => {
      let health = untested(0);
      const counted: State[] = [];
      for (const [at, state] of verdicts.entries()) {
        const before = health;
        health = weigh(before, verdict(state), { rise, fall }, at);
        if (state !== 'unknown') counted.push(state);
        if (health.state === before.state) continue;
        const up = before.state === 'unknown' ? 1 : rise;
        const run = health.state === 'down' ? fall : up;
        expect(counted.slice(-run)).toEqual(Array(run).fill(health.state));
        expect(health.sinceMs).toBe(at);
      }
    }),
  );
});

test('fall verdicts in a row always make it down, and rise in a row up', () => {
  fc.assert(
    fc.property(states, thresholds, (verdicts, limits) => {
      const reached = all(untested(0), verdicts, limits);
      expect(all(reached, Array(limits.fall).fill('down'), limits).state).toBe('down');
      expect(all(reached, Array(limits.rise).fill('up'), limits).state).toBe('up');
    }),
  );
});

test('verdicts that say nothing change nothing, but for the weight they may tell', () => {
  const health: Health = { state: 'up', reason: 'connected', against: 1, sinceMs: 5, weight: { percent: 50 } };
  const said = weigh(health, { ...verdict('unknown'), weight: { isQuiesced: true } }, { rise: 1, fall: 2 }, 9);
  expect(said).toEqual({ ...health, weight: { percent: 50, isQuiesced: true } });
});

function all(health: Health, verdicts: readonly State[], limits: { rise: number; fall: number }): Health {
  return verdicts.reduce((now, state) => weigh(now, verdict(state), limits, 0), health);
}

function verdict(state: State): Verdict {
  return { state, reason: state, durationMs: 1 };
}
