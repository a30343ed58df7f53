// All probes of one director: each runs by its own clock, and who asks the same of the same shares one.
import { formatAddress } from '../model/address.ts';
import type { Check, Target } from './check.ts';
import { type Health, type Thresholds, untested, weigh } from './hysteresis.ts';
import { type Ask, probe as askOnce } from './probe.ts';
import type { Verdict } from './verdict.ts';

export interface Policy extends Thresholds {
  /** From the beginning of one probe to that of the next. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How much earlier the next may begin, by chance: a part of the interval, from 0 to 1. Never later: `fall` is a promise. */
  readonly jitter: number;
  /** A probe that finds it down is repeated so often before it counts, */
  readonly retries: number;
  /** each time after so long. */
  readonly retryDelayMs: number;
  /** The first probe begins within this time, by chance. */
  readonly warmUpMs: number;
}

export interface Probe {
  readonly target: Target;
  readonly check: Check;
  readonly policy: Policy;
}

export interface MonitorOptions {
  /** Called after each verdict that changes what is known: `before` and `now` differ in state or weight. */
  readonly onChange: (key: string, now: Health, before: Health) => void;
  /** What was known when the process before this one ended. */
  readonly remembered?: ReadonlyMap<string, Health>;
  readonly ask?: Ask;
}

/** Alike for probes that can't find different things. */
export function probeKey({ target, check, policy }: Probe): string {
  const { address, port, rip, vip, vport } = target;
  const identity = [address, rip, vip].map((one) => one && formatAddress(one));
  return JSON.stringify([...identity, port, vport, check, policy], (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

interface Running {
  readonly probe: Probe;
  readonly stop: AbortController;
  health: Health;
  last: Verdict | undefined;
  timer: NodeJS.Timeout | undefined;
}

export class Monitor implements Disposable {
  readonly #running = new Map<string, Running>();
  readonly #options: MonitorOptions;
  readonly #ask: Ask;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#ask = options.ask ?? askOnce;
  }

  /** From now on these: those that ran already go on undisturbed, those that are not among them end. */
  watch(probes: Iterable<Probe>): void {
    const wanted = new Map(Array.from(probes, (one) => [probeKey(one), one]));
    for (const [key, running] of this.#running) {
      if (wanted.has(key)) continue;
      end(running);
      this.#running.delete(key);
    }
    for (const [key, one] of wanted) if (!this.#running.has(key)) this.#begin(key, one);
  }

  /** undefined of what is not watched. */
  health(key: string): Health | undefined {
    return this.#running.get(key)?.health;
  }

  lastVerdict(key: string): Verdict | undefined {
    return this.#running.get(key)?.last;
  }

  /** Of all that are watched. */
  known(): ReadonlyMap<string, Health> {
    return new Map(Array.from(this.#running, ([key, { health }]) => [key, health]));
  }

  [Symbol.dispose](): void {
    for (const running of this.#running.values()) end(running);
    this.#running.clear();
  }

  #begin(key: string, probe: Probe): void {
    const health = this.#options.remembered?.get(key) ?? untested(Date.now());
    const running: Running = { probe, stop: new AbortController(), health, last: undefined, timer: undefined };
    this.#running.set(key, running);
    this.#runAfter(Math.random() * probe.policy.warmUpMs, key, running);
  }

  #runAfter(ms: number, key: string, running: Running): void {
    running.timer = setTimeout(() => void this.#run(key, running), Math.max(0, Math.round(ms)));
  }

  async #run(key: string, running: Running): Promise<void> {
    const begun = performance.now();
    const { policy } = running.probe;
    const verdict = await this.#askPatiently(running);
    if (running.stop.signal.aborted) return;
    this.#take(key, running, verdict);
    const pause = policy.intervalMs * (1 - policy.jitter * Math.random());
    this.#runAfter(begun + pause - performance.now(), key, running);
  }

  async #askPatiently({ probe, stop }: Running): Promise<Verdict> {
    const { target, check, policy } = probe;
    for (let left = policy.retries; ; left--) {
      const verdict = await this.#ask(target, check, policy.timeoutMs, stop.signal);
      if (verdict.state !== 'down' || left <= 0 || stop.signal.aborted) return verdict;
      await pause(policy.retryDelayMs);
    }
  }

  #take(key: string, running: Running, verdict: Verdict): void {
    const before = running.health;
    const now = weigh(before, verdict, running.probe.policy, Date.now());
    running.health = now;
    running.last = verdict;
    if (now.state !== before.state || JSON.stringify(now.weight) !== JSON.stringify(before.weight)) {
      this.#options.onChange(key, now, before);
    }
  }
}

function end({ stop, timer }: Running): void {
  clearTimeout(timer);
  stop.abort(new Error('no longer asked'));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
