// When probes run, what they share, and what outlives a change of them.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseAddress } from '../model/address.ts';
import type { Health } from './hysteresis.ts';
import { Monitor, type Policy, type Probe, probeKey } from './monitor.ts';
import type { Ask } from './probe.ts';
import type { State } from './verdict.ts';

const policy: Policy = {
  intervalMs: 2000,
  timeoutMs: 1000,
  rise: 2,
  fall: 3,
  jitter: 0,
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
  monitor.watch([probe()]);
  await vi.advanceTimersByTimeAsync(2020);
  expect(changes).toEqual([[probeKey(probe()), 'up']]);
  answer = { state: 'down', takesMs: policy.timeoutMs };
  await vi.advanceTimersByTimeAsync(policy.fall * policy.intervalMs + policy.timeoutMs);
  expect(changes[1]).toEqual([probeKey(probe()), 'down']);
  answer = { state: 'up', takesMs: 10 };
  await vi.advanceTimersByTimeAsync(policy.rise * policy.intervalMs + 10);
  expect(changes[2]).toEqual([probeKey(probe()), 'up']);
});

test('what asks the same is one probe, and what asks otherwise is not', async () => {
  using monitor = new Monitor({ ask, onChange });
  const other = { ...probe(), policy: { ...policy, fall: 1 } };
  monitor.watch([probe(), probe(), other, probe(81)]);
  await vi.advanceTimersByTimeAsync(20);
  expect(asked).toBe(3);
  expect(monitor.known().size).toBe(3);
});

test('one that goes on being watched keeps its health and its rhythm', async () => {
  using monitor = new Monitor({ ask, onChange });
  monitor.watch([probe(80), probe(81)]);
  await vi.advanceTimersByTimeAsync(1500);
  monitor.watch([probe(80), probe(82)]);
  expect(monitor.health(probeKey(probe(80)))?.state).toBe('up');
  expect(monitor.health(probeKey(probe(81)))).toBeUndefined();
  expect(monitor.health(probeKey(probe(82)))?.state).toBe('unknown');
  await vi.advanceTimersByTimeAsync(490);
  expect(asked).toBe(3);
  await vi.advanceTimersByTimeAsync(20);
  expect(asked).toBe(4);
});

test('takes over what was known, and needs as much to change its mind', async () => {
  const key = probeKey(probe());
  const known: Health = { state: 'up', reason: 'connected', against: 0, sinceMs: 1, weight: { percent: 30 } };
  using monitor = new Monitor({ ask, onChange, remembered: new Map([[key, known]]) });
  answer = { state: 'down', takesMs: 1 };
  monitor.watch([probe()]);
  expect(monitor.health(key)).toEqual(known);
  await vi.advanceTimersByTimeAsync(2 * policy.intervalMs);
  expect(changes).toEqual([]);
  await vi.advanceTimersByTimeAsync(policy.intervalMs);
  expect(changes).toEqual([[key, 'down']]);
});

test('repeats a probe that fails before it counts', async () => {
  using monitor = new Monitor({ ask, onChange });
  const patient = { ...probe(), policy: { ...policy, retries: 2, fall: 1 } };
  answer = { state: 'down', takesMs: 10 };
  monitor.watch([patient]);
  await vi.advanceTimersByTimeAsync(15);
  answer = { state: 'up', takesMs: 10 };
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toBe(2);
  expect(changes).toEqual([[probeKey(patient), 'up']]);
});

test('never waits longer than the interval, and begins at different times', async () => {
  const begun: number[] = [];
  const late: Ask = async (_, { type }) => {
    begun.push(performance.now());
    return { state: 'up', reason: type, durationMs: 0 };
  };
  using monitor = new Monitor({ ask: late, onChange });
  monitor.watch([{ ...probe(), policy: { ...policy, jitter: 0.5 } }]);
  await vi.advanceTimersByTimeAsync(60_000);
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
  expect(Math.max(...pauses)).toBeLessThanOrEqual(policy.intervalMs + 1);
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(policy.intervalMs / 2 - 1);
  expect(new Set(pauses).size).toBeGreaterThan(5);
});

test('asks nothing more once it is disposed', async () => {
  const monitor = new Monitor({ ask, onChange });
  monitor.watch([probe()]);
  monitor[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(0);
});

function probe(port = 80): Probe {
  const address = parseAddress('127.0.0.1');
  return { target: { address, rip: address, port }, check: { type: 'tcp' }, policy };
}
