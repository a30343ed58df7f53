// From verdicts to health: one verdict alone changes nothing. Pure.
import type { Check } from '../model/check.ts';
import type { State, Verdict, WeightAdvice } from './verdict.ts';

export type Thresholds = Pick<Check, 'rise' | 'fall'>;

export interface Health {
  /** `unknown`, until there was reason to call it something: such a real server is left as it is. */
  readonly state: State;
  /** Of the last verdict that counted. */
  readonly reason: string;
  /** Verdicts in a row against `state`. */
  readonly against: number;
  /** Milliseconds since 1970: since when it is in `state`. */
  readonly sinceMs: number;
  readonly weight: WeightAdvice;
}

/** One that counts as up until probes have told is left as it is till then. */
export function untested(nowMs: number, initially: Check['initially'] = 'up'): Health {
  const state = initially === 'up' ? 'unknown' : 'down';
  return { state, reason: 'not probed yet', against: 0, sinceMs: nowMs, weight: {} };
}

export function weigh(health: Health, verdict: Verdict, thresholds: Thresholds, nowMs: number): Health {
  const weight = { ...health.weight, ...verdict.weight };
  if (verdict.state === 'unknown') return { ...health, weight };
  const { state, reason } = verdict;
  if (state === health.state) return { ...health, weight, reason, against: 0 };
  const against = health.against + 1;
  if (against < needed(health.state, state, thresholds)) return { ...health, weight, reason, against };
  return { state, reason, against: 0, sinceMs: nowMs, weight };
}

/** Nothing speaks against one that answers from the beginning on. */
function needed(from: State, to: State, { rise, fall }: Thresholds): number {
  if (to === 'down') return fall;
  return from === 'unknown' ? 1 : rise;
}
