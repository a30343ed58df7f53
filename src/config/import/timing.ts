// How often keepalived probes: what a virtual server says, a real server may say otherwise, and a checker again.
import { formatDuration } from '../schema/scalars.ts';
import type { Draft, Keywords, Losses } from './draft.ts';
import type { Statement } from './tree.ts';

export interface Timing {
  delayLoopMs?: number;
  connectTimeoutMs?: number;
  retry?: number;
  delayBeforeRetryMs?: number;
  warmupMs?: number;
  alpha?: boolean;
}

/** Source: keepalived.conf(5). */
export interface TimingDefaults {
  readonly retry: number;
  /** undefined: as delay_loop. */
  readonly delayBeforeRetryMs: number | undefined;
}

const delayLoopMs = 60_000;
const connectTimeoutMs = 5_000;
const leastIntervalMs = 100;

export function timingKeywords<Context extends { readonly timing: Timing }>(losses: Losses): Keywords<Context> {
  const timer =
    (name: 'delayLoopMs' | 'connectTimeoutMs' | 'delayBeforeRetryMs' | 'warmupMs') =>
    (statement: Statement, { timing }: Context): void => {
      const value = readTimer(statement);
      if (value === undefined) losses.lose(statement, 'expected a number of seconds');
      else timing[name] = value;
    };
  const retry = (statement: Statement, { timing }: Context): void => {
    const value = Number(statement.words[0]);
    if (Number.isInteger(value) && value >= 0 && value <= 100) timing.retry = value;
    else losses.lose(statement, 'expected a number from 0 to 100');
  };
  return {
    delay_loop: timer('delayLoopMs'),
    connect_timeout: timer('connectTimeoutMs'),
    delay_before_retry: timer('delayBeforeRetryMs'),
    warmup: timer('warmupMs'),
    retry,
    nb_get_retry: retry,
    alpha: (statement, { timing }) => {
      timing.alpha = readTruth(statement);
    },
    log_all_failures: (statement) => losses.lose(statement, 'every change is logged'),
  };
}

/** keepalived's verdict falls with one probe and its repetitions, and rises with one. */
export function timingDraft(timing: Timing, defaults: TimingDefaults, statement: Statement, losses: Losses): Draft {
  const intervalMs = Math.max(timing.delayLoopMs ?? delayLoopMs, leastIntervalMs);
  const timeoutMs = timing.connectTimeoutMs ?? connectTimeoutMs;
  if (timeoutMs > intervalMs)
    losses.lose(statement, `a timeout longer than delay_loop is cut to ${formatDuration(intervalMs)}`);
  const retry = timing.retry ?? defaults.retry;
  return {
    interval: formatDuration(intervalMs),
    timeout: formatDuration(Math.max(Math.min(timeoutMs, intervalMs), 10)),
    rise: 1,
    fall: 1,
    ...(retry > 0 && {
      retry,
      retry_delay: formatDuration(timing.delayBeforeRetryMs ?? defaults.delayBeforeRetryMs ?? intervalMs),
    }),
    ...(timing.warmupMs !== undefined && { warm_up: formatDuration(timing.warmupMs) }),
    ...(timing.alpha && { initially: 'down' }),
  };
}

/** Seconds, with a fraction or without. */
export function readTimer({ words: [word = ''] }: Statement): number | undefined {
  return /^\d+(\.\d+)?$/.test(word) ? Math.round(Number(word) * 1000) : undefined;
}

/** on without a word. */
export function readTruth({ words: [word = 'on'] }: Statement): boolean {
  return ['on', 'true', 'yes'].includes(word.toLowerCase());
}
