// What clients' own connections tell of a real server: too many in a short time that it does not take, and it rests for a while. Pure.
import type { Checker, PassiveChecker } from '../model/check.ts';
import { type Health, untested } from './hysteresis.ts';

export class PassiveHealth {
  readonly #checker: PassiveChecker;
  /** Newest last: how many more there were then. */
  readonly #failures: { readonly atMs: number; readonly count: number }[] = [];
  #total: number | undefined;
  #downSinceMs: number | undefined;
  #reason = '';

  constructor(checker: PassiveChecker) {
    this.#checker = checker;
  }

  /** Whether it judges as this one says. */
  isBy(checker: Checker): boolean {
    const { failures, withinMs, pauseMs } = this.#checker;
    return (
      checker.kind === 'passive' &&
      checker.failures === failures &&
      checker.withinMs === withinMs &&
      checker.pauseMs === pauseMs
    );
  }

  /**
   * `total`: of the data plane's counter, which begins anew with another destination in its place; undefined: there is none now. Returns
   * whether its state is another.
   */
  see(total: number | undefined, nowMs: number): boolean {
    const { failures, withinMs, pauseMs } = this.#checker;
    const more = total === undefined ? 0 : total - (this.#total ?? total);
    this.#total = total;
    if (this.#downSinceMs !== undefined) {
      if (nowMs - this.#downSinceMs < pauseMs) return false;
      this.#downSinceMs = undefined;
      return true;
    }
    if (more > 0) this.#failures.push({ atMs: nowMs, count: more });
    while (this.#failures[0] !== undefined && nowMs - this.#failures[0].atMs > withinMs) this.#failures.shift();
    const sum = this.#failures.reduce((found, { count }) => found + count, 0);
    if (sum < failures) return false;
    this.#reason = `${sum} connections unanswered or refused within ${withinMs / 1000} s`;
    this.#downSinceMs = nowMs;
    this.#failures.length = 0;
    return true;
  }

  /** At first nothing is known, which speaks for it. */
  get health(): Health {
    if (this.#downSinceMs === undefined) return { ...untested(0), reason: 'clients tell' };
    return { ...untested(this.#downSinceMs, 'down'), reason: this.#reason };
  }
}
