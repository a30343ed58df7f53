// Waiting for what a test expects, instead of for a time.
import { setTimeout as delay } from 'node:timers/promises';

export interface Patience {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** For the message. */
  readonly what?: string;
}

export async function until(
  isSo: () => boolean | Promise<boolean>,
  { timeoutMs = 10_000, everyMs = 5, what = 'what was waited for' }: Patience = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(everyMs);
  }
}
