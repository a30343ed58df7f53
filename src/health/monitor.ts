// All probes of one director, each by its own clock.
import type { Check, CheckerKind } from '../model/check.ts';
import { type Health, untested, weigh } from './hysteresis.ts';
import { Pace } from './pace.ts';
import { type Ask, probe as askOnce } from './probe.ts';
import type { Target } from './target.ts';
import type { State, Verdict } from './verdict.ts';

/** What says when a probe runs, and what its verdicts lead to. */
export type Policy = Omit<Check, 'target'>;

export interface Probe {
  readonly target: Target;
  readonly check: Policy;
}

export interface MonitorOptions {
  /** Called after each verdict that changes what is known: `before` and `now` differ in state or weight. */
  readonly onChange: (key: string, now: Health, before: Health) => void;
  /** What was known when the process before this one ended. */
  readonly remembered?: ReadonlyMap<string, Health>;
  readonly ask?: Ask;
}

/** Of all probes of one kind. */
export interface Tally {
  /** So far. */
  readonly verdicts: Readonly<Record<State, number>>;
  readonly durationMs: number;
  /** How many stand so now. */
  readonly standing: Readonly<Record<State, number>>;
}

interface Running {
  readonly probe: Probe;
  isEnded: boolean;
  /** Of the probe that is just being asked. */
  asking: AbortController | undefined;
  health: Health;
  last: Verdict | undefined;
  timer: NodeJS.Timeout | undefined;
}

export class Monitor implements Disposable {
  readonly #running = new Map<string, Running>();
  readonly #options: MonitorOptions;
  readonly #ask: Ask;
  readonly #pace = new Pace();
  readonly #counted = new Map<CheckerKind, { readonly verdicts: Record<State, number>; durationMs: number }>();

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#ask = options.ask ?? askOnce;
  }

  /** From now on these, by keys that outlive the process: those that ran already go on undisturbed, those no longer named end. */
  watch(probes: ReadonlyMap<string, Probe>): void {
    for (const [key, running] of this.#running) {
      if (probes.has(key)) continue;
      end(running);
      this.#running.delete(key);
    }
    for (const [key, one] of probes) if (!this.#running.has(key)) this.#begin(key, one);
  }

  /** How many of them their intervals ask for in a second, and how many there will be at the most. */
  get load(): { readonly asked: number; readonly most: number } {
    let asked = 0;
    for (const { probe } of this.#running.values()) asked += 1000 / probe.check.intervalMs;
    return { asked, most: this.#pace.mostBegun };
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

  tallies(): ReadonlyMap<CheckerKind, Tally> {
    const standing = new Map<CheckerKind, Record<State, number>>();
    for (const { probe, health } of this.#running.values())
      entryOf(standing, probe.check.checker.kind, none)[health.state]++;
    const kinds = new Set([...this.#counted.keys(), ...standing.keys()]);
    return new Map(
      Array.from(kinds, (kind) => {
        const { verdicts = none(), durationMs = 0 } = this.#counted.get(kind) ?? {};
        return [kind, { verdicts: { ...verdicts }, durationMs, standing: standing.get(kind) ?? none() }];
      }),
    );
  }

  [Symbol.dispose](): void {
    for (const running of this.#running.values()) end(running);
    this.#running.clear();
    this.#pace[Symbol.dispose]();
  }

  #begin(key: string, probe: Probe): void {
    const health = this.#options.remembered?.get(key) ?? untested(Date.now(), probe.check.initially);
    const running: Running = { probe, isEnded: false, asking: undefined, health, last: undefined, timer: undefined };
    this.#running.set(key, running);
    this.#runAfter(Math.random() * probe.check.warmUpMs, key, running);
  }

  #runAfter(ms: number, key: string, running: Running): void {
    running.timer = setTimeout(() => this.#pace.begin(() => this.#run(key, running)), Math.max(0, Math.round(ms)));
  }

  async #run(key: string, running: Running): Promise<void> {
    if (running.isEnded) return;
    const begun = performance.now();
    const { intervalMs, jitterMs } = running.probe.check;
    running.asking = new AbortController();
    const verdict = await this.#askPatiently(running.probe, running.asking.signal);
    running.asking = undefined;
    if (running.isEnded) return;
    this.#take(key, running, verdict);
    // Earlier by chance, never later: `fall` intervals are a promise.
    this.#runAfter(begun + intervalMs - jitterMs * Math.random() - performance.now(), key, running);
  }

  async #askPatiently({ target, check }: Probe, stop: AbortSignal): Promise<Verdict> {
    for (let left = check.retries; ; left--) {
      const verdict = await this.#ask(target, check.checker, check.timeoutMs, stop);
      if (verdict.state !== 'down' || left <= 0 || stop.aborted) return verdict;
      await pause(check.retryDelayMs);
    }
  }

  #take(key: string, running: Running, verdict: Verdict): void {
    const before = running.health;
    const now = weigh(before, verdict, running.probe.check, Date.now());
    running.health = now;
    running.last = verdict;
    const counted = entryOf(this.#counted, running.probe.check.checker.kind, () => ({
      verdicts: none(),
      durationMs: 0,
    }));
    counted.verdicts[verdict.state]++;
    counted.durationMs += verdict.durationMs;
    if (now.state !== before.state || JSON.stringify(now.weight) !== JSON.stringify(before.weight)) {
      this.#options.onChange(key, now, before);
    }
  }
}

function none(): Record<State, number> {
  return { up: 0, down: 0, unknown: 0 };
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function end(running: Running): void {
  clearTimeout(running.timer);
  running.isEnded = true;
  running.asking?.abort(new Error('no longer asked'));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
