// When probes run, and what outlives a change of them.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseAddress } from '../model/address.ts';
import type { Health } from './hysteresis.ts';
import { Monitor, type Policy, type Probe } from './monitor.ts';
import type { Ask } from './probe.ts';
import type { State } from './verdict.ts';

const check: Policy = {
  checker: { kind: 'tcp' },
  initially: 'up',
  intervalMs: 2000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
  jitterMs: 0,
  retries: 0,
  retryDelayMs: 100,
  warmUpMs: 0,
};
/** What the next probe finds, and how long it takes to. */
let answer: { state: State; takesMs: number };
let asked: number;
const ask: Ask = async () => {
  asked++;
  const { state, takesMs } = answer;
  await new Promise((resolve) => setTimeout(resolve, takesMs));
  return { state, reason: state, durationMs: takesMs };
};
const changes: [string, State][] = [];
const onChange = (key: string, now: Health): void => void changes.push([key, now.state]);

beforeEach(() => {
  vi.useFakeTimers();
  answer = { state: 'up', takesMs: 10 };
  asked = 0;
  changes.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

test('one that begins to fail is down within fall intervals and a timeout', async () => {
  using monitor = new Monitor({ ask, onChange });
  monitor.watch(probes(80));
  await vi.advanceTimersByTimeAsync(2020);
  expect(changes).toEqual([['80', 'up']]);
  answer = { state: 'down', takesMs: check.timeoutMs };
  await vi.advanceTimersByTimeAsync(check.fall * check.intervalMs + check.timeoutMs);
  expect(changes[1]).toEqual(['80', 'down']);
  answer = { state: 'up', takesMs: 10 };
  await vi.advanceTimersByTimeAsync(check.rise * check.intervalMs + 10);
  expect(changes[2]).toEqual(['80', 'up']);
});

test('one that goes on being watched keeps its health and its rhythm', async () => {
  using monitor = new Monitor({ ask, onChange });
  monitor.watch(probes(80, 81));
  await vi.advanceTimersByTimeAsync(1500);
  monitor.watch(probes(80, 82));
  expect(monitor.health('80')?.state).toBe('up');
  expect(monitor.health('81')).toBeUndefined();
  expect(monitor.health('82')?.state).toBe('unknown');
  await vi.advanceTimersByTimeAsync(490);
  expect(asked).toBe(3);
  await vi.advanceTimersByTimeAsync(20);
  expect(asked).toBe(4);
});

test('takes over what was known, and needs as much to change its mind', async () => {
  const key = '80';
  const known: Health = { state: 'up', reason: 'connected', against: 0, sinceMs: 1, weight: { percent: 30 } };
  using monitor = new Monitor({ ask, onChange, remembered: new Map([[key, known]]) });
  answer = { state: 'down', takesMs: 1 };
  monitor.watch(probes(80));
  expect(monitor.health(key)).toEqual(known);
  await vi.advanceTimersByTimeAsync(2 * check.intervalMs);
  expect(changes).toEqual([]);
  await vi.advanceTimersByTimeAsync(check.intervalMs);
  expect(changes).toEqual([[key, 'down']]);
});

test('repeats a probe that fails before it counts', async () => {
  using monitor = new Monitor({ ask, onChange });
  const patient = { ...probe(80), check: { ...check, retries: 2, fall: 1 } };
  answer = { state: 'down', takesMs: 10 };
  monitor.watch(new Map([['80', patient]]));
  await vi.advanceTimersByTimeAsync(15);
  answer = { state: 'up', takesMs: 10 };
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toBe(2);
  expect(changes).toEqual([['80', 'up']]);
});

test('never waits longer than the interval, and begins at different times', async () => {
  const begun: number[] = [];
  const late: Ask = async (_, { kind }) => {
    begun.push(performance.now());
    return { state: 'up', reason: kind, durationMs: 0 };
  };
  using monitor = new Monitor({ ask: late, onChange });
  monitor.watch(new Map([['80', { ...probe(80), check: { ...check, jitterMs: 1000 } }]]));
  await vi.advanceTimersByTimeAsync(60_000);
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
  expect(Math.max(...pauses)).toBeLessThanOrEqual(check.intervalMs + 1);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(check.intervalMs / 2 - 1);
  expect(new Set(pauses).size).toBeGreaterThan(5);
});

test('asks nothing more once it is disposed', async () => {
  const monitor = new Monitor({ ask, onChange });
  monitor.watch(probes(80));
  monitor[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(0);
});

/** Each by its port. */
function probes(...ports: readonly number[]): ReadonlyMap<string, Probe> {
  return new Map(ports.map((port) => [String(port), probe(port)]));
}

function probe(port: number): Probe {
  const address = parseAddress('127.0.0.1');
  return { target: { address, rip: address, port }, check };
}
